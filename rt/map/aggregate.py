"""The map of the whole cluster, made from the counts of the partitions: rolled up, filtered, cut into tiles. Pure.

Only resolution 7 is stored; a change of one cell is a difference in its parents, so a tick costs what changed.
Tiles carry versions: the first version of a tile is the second in which it was made, so that one which vanished and
comes back is newer than what a client remembers of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import inf
from typing import Final, NamedTuple
from zlib import crc32

from h3.api import basic_int as h3

from config.limits import CELL_RESOLUTION, MAP_WHOLE_S
from rt.map.geometry import RESOLUTIONS, tile_resolution
from rt.map.hidden import Hidden
from rt.map.privacy import Rule
from rt.map.surroundings import FINEST, Agenda, Surroundings

BANDS: Final[tuple[tuple[int, ...], ...]] = ((3, 2), (5, 4), (7, 6))  # finest first: a parent looks at its children
_LIVE_RESOLUTION_MAX: Final = 3
# Whose surroundings each band looks at: the finest cells at those of their parents.
_GATES: Final[tuple[tuple[int, ...], ...]] = ((2, 3), (4, 5), (FINEST,))


class TileKey(NamedTuple):
    """A tile of one resolution of cells: resolutions 2 and 3 share the tiles of resolution 0."""

    resolution: int
    tile: str

    @property
    def field(self) -> str:
        """Its field in `presence:map:tiles`."""
        return f"{self.resolution}/{self.tile}"


class TileState(NamedTuple):
    """A tile as it was last published."""

    version: int
    cells: dict[str, int]


class TileChange(NamedTuple):
    """What is published of one tile: the changed cells (0 = gone), or all of them when `whole`."""

    key: TileKey
    version: int
    whole: bool
    cells: list[tuple[str, int]]


class Aggregate:
    """See the module. Feed it with `update` or `load`, ask it with `tick`, `wholes`, `everything`."""

    def __init__(self, rule: Rule, partitions: int, hidden: Hidden | None = None) -> None:
        self.tiles: dict[TileKey, TileState] = {}
        self._rule = rule
        self._hidden = hidden or Hidden()
        self._around = Surroundings(rule)
        self._parts: list[dict[int, tuple[int, int]]] = [{} for _ in range(partitions)]
        self._counts: dict[int, dict[int, int]] = {r: {} for r in RESOLUTIONS}
        self._changed: dict[int, set[int]] = {r: set() for r in RESOLUTIONS}
        self._levels: dict[int, dict[int, int]] = {r: {} for r in RESOLUTIONS}
        self._bases: dict[int, dict[int, int]] = {r: {} for r in RESOLUTIONS}  # of shown cells only
        self._shown_below: dict[int, dict[int, int]] = {r: {} for r in RESOLUTIONS}  # sums of the bases of children
        self._held: dict[int, dict[int, dict[int, int]]] = {r: {} for r in RESOLUTIONS}  # steps that cells have reached
        self._agenda: dict[int, Agenda] = {r: Agenda() for r in RESOLUTIONS}
        self._whole_until_s: int | None = None

    def restore(self, tiles: Mapping[TileKey, TileState], unix_s: float) -> None:
        """Takes over what another keeper published: versions go on, what is shown stays to the end of its slot.

        But for what meets a hidden place: that is decided anew.
        """
        self.tiles = dict(tiles)
        for key, state in tiles.items():
            resolution = key.resolution
            for name, level in state.cells.items():
                cell = int(name, 16)
                self._levels[resolution][cell] = self._bases[resolution][cell] = level
                self._changed[resolution].add(cell)
                self._tell_parent(cell, resolution, level)
                if self._rule.guards(resolution) and not (self._hidden and self._hidden.meets(cell)):
                    self._held[resolution][cell] = {level: self._rule.end_s(cell, level, unix_s)}
                    self._around.restore(cell, resolution, unix_s)

    def load(self, partition: int, counts: Mapping[int, tuple[int, int]]) -> None:
        """The whole of a partition: cell -> (users, settled users)."""
        gone = dict.fromkeys(self._parts[partition].keys() - counts.keys(), (0, 0))
        self.update(partition, {**gone, **counts})

    def update(self, partition: int, counts: Mapping[int, tuple[int, int]]) -> None:
        """The counts of these cells in one partition are now these. Those of hidden places are left out."""
        if self._hidden:
            counts = {cell: new for cell, new in counts.items() if not self._hidden.holds(cell)}
        part = self._parts[partition]
        live: dict[int, int] = {}
        settled: dict[int, int] = {}
        for cell, new in counts.items():
            old = part.get(cell, (0, 0))
            if new == old:
                continue
            if new == (0, 0):
                del part[cell]
            else:
                part[cell] = new
            live[cell] = new[0] - old[0]
            settled[cell] = new[1] - old[1]
        known, most = self._counts[CELL_RESOLUTION], self._rule.place_people
        had = ((cell, known.get(cell, 0), by) for cell, by in settled.items() if by)
        self._around.update({cell: (n, n + by) for cell, n, by in had if n < most or n + by < most})
        for resolution in range(CELL_RESOLUTION, _LIVE_RESOLUTION_MAX, -1):
            self._add(resolution, settled)
            settled = _rolled_up(settled, resolution - 1)
        live = _rolled_up(live, _LIVE_RESOLUTION_MAX)
        for resolution in range(_LIVE_RESOLUTION_MAX, RESOLUTIONS[0] - 1, -1):
            self._add(resolution, live)
            live = _rolled_up(live, resolution - 1)

    def counted(self, cell: int, resolution: int) -> int:
        """The people by whom it is decided what is shown of a cell."""
        below = self._shown_below[resolution].get(cell, 0)
        return self._rule.base(resolution, self._counts[resolution].get(cell, 0), below)

    def tick(self, band: int, unix_s: float) -> list[TileChange]:
        """Applies the rule to what changed in the band's resolutions and returns the tiles that now look otherwise."""
        self._turn(self._around.look(_GATES[band], unix_s))
        changes: list[TileChange] = []
        for resolution in BANDS[band]:
            changes += self._into_tiles(resolution, self._evaluate(resolution, unix_s), unix_s)
        return changes

    def wholes(self, unix_s: float) -> tuple[list[TileChange], list[TileKey]]:
        """The tiles whose turn it is to come whole (each every MAP_WHOLE_S), and those that are empty and may go."""
        now = int(unix_s)
        since = now - 1 if self._whole_until_s is None else max(self._whole_until_s, now - MAP_WHOLE_S)
        self._whole_until_s = now
        slots = {second % MAP_WHOLE_S for second in range(since + 1, now + 1)}
        due = [key for key in self.tiles if crc32(key.field.encode()) % MAP_WHOLE_S in slots] if slots else []
        forgotten = [key for key in due if not self.tiles[key].cells]
        whole = [self._whole(key) for key in due]
        for key in forgotten:
            del self.tiles[key]
        return whole, forgotten

    def everything(self) -> list[TileChange]:
        """Every tile, whole: for a Redis that lost them."""
        return [self._whole(key) for key in self.tiles]

    def _whole(self, key: TileKey) -> TileChange:
        state = self.tiles[key]
        return TileChange(key, state.version, True, list(state.cells.items()))

    def _add(self, resolution: int, differences: Mapping[int, int]) -> None:
        counts, changed = self._counts[resolution], self._changed[resolution]
        for cell, by in differences.items():
            if by:
                counts[cell] = counts.get(cell, 0) + by
                changed.add(cell)
                if not counts[cell]:
                    del counts[cell]

    def _turn(self, turned: Iterable[tuple[int, int]]) -> None:
        """These surroundings pass from now on, or no longer: what depends on them must be looked at again."""
        for gate, resolution in turned:
            self._changed[resolution].add(gate)
            for finer in range(FINEST + 1, CELL_RESOLUTION + 1) if resolution == FINEST else ():
                counts, levels = self._counts[finer], self._levels[finer]
                self._changed[finer].update(
                    cell for cell in h3.cell_to_children(gate, finer) if cell in counts or cell in levels
                )

    def _evaluate(self, resolution: int, unix_s: float) -> list[tuple[int, int]]:
        """(cell, new level) of those that look otherwise."""
        changed, self._changed[resolution] = self._changed[resolution], set()
        levels, bases = self._levels[resolution], self._bases[resolution]
        result: list[tuple[int, int]] = []
        for cell in changed | self._agenda[resolution].take(unix_s):
            base = self.counted(cell, resolution)
            level = self._level(cell, resolution, base, unix_s)
            before = bases.get(cell, 0)
            after = base if level else 0
            if after != before:
                bases[cell] = after
                if not after:
                    del bases[cell]
                self._tell_parent(cell, resolution, after - before)
            if level != levels.get(cell, 0):
                levels[cell] = level
                if not level:
                    del levels[cell]
                result.append((cell, level))
        return result

    def _level(self, cell: int, resolution: int, base: int, unix_s: float) -> int:
        """What is shown of a cell that counts so many."""
        all_held = self._held[resolution]
        if cell not in all_held and base < self._rule.least(resolution):
            return 0
        if not self._around.around(cell, resolution) or (self._hidden and self._hidden.holds(cell)):
            all_held.pop(cell, None)
            return 0
        held = all_held.setdefault(cell, {})
        level, due_s = self._rule.look(cell, resolution, base, held, unix_s)
        if not held:
            del all_held[cell]
        if due_s < inf:
            self._agenda[resolution].add(cell, due_s)
        return level

    def _tell_parent(self, cell: int, resolution: int, by: int) -> None:
        """The parent's shown children hold so many people more: it must be looked at again."""
        if resolution > RESOLUTIONS[0]:
            parent = h3.cell_to_parent(cell, resolution - 1)
            below = self._shown_below[resolution - 1]
            below[parent] = below.get(parent, 0) + by
            if not below[parent]:
                del below[parent]
            self._changed[resolution - 1].add(parent)

    def _into_tiles(self, resolution: int, cells: Iterable[tuple[int, int]], unix_s: float) -> list[TileChange]:
        by_tile: dict[int, list[tuple[str, int]]] = defaultdict(list)
        size = tile_resolution(resolution)
        for cell, level in cells:
            by_tile[h3.cell_to_parent(cell, size)].append((format(cell, "x"), level))
        changes: list[TileChange] = []
        for tile, changed in by_tile.items():
            key = TileKey(resolution, format(tile, "x"))
            state = self.tiles.get(key)
            shown = dict(state.cells) if state else {}
            for name, level in changed:
                if level:
                    shown[name] = level
                else:
                    shown.pop(name, None)
            version = state.version + 1 if state else int(unix_s)
            self.tiles[key] = TileState(version, shown)
            changes.append(TileChange(key, version, state is None, list(shown.items()) if state is None else changed))
        return changes


def _rolled_up(differences: Mapping[int, int], resolution: int) -> dict[int, int]:
    """The same differences, summed over the parents of that resolution."""
    parents: dict[int, int] = {}
    for cell, by in differences.items():
        parent = h3.cell_to_parent(cell, resolution)
        parents[parent] = parents.get(parent, 0) + by
    return parents
