"""The map of the whole cluster, made from the counts of the partitions: rolled up, filtered, cut into tiles. Pure.

Only resolution 7 is stored; a change of one cell is a difference in its parents, so a tick costs what changed.
Tiles carry versions: the first version of a tile is the second in which it was made, so that one which vanished and
comes back is newer than what a client remembers of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from zlib import crc32

from h3.api import basic_int as h3

from config.limits import CELL_RESOLUTION, MAP_WHOLE_S
from rt.presence.privacy import DAY_S, Rule, band_of
from rt.presence.rules import RESOLUTIONS, tile_resolution

BANDS: Final[tuple[tuple[int, ...], ...]] = ((3, 2), (5, 4), (7, 6))  # finest first: a parent looks at its children
_LIVE_RESOLUTION_MAX: Final = 3


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

    def __init__(self, rule: Rule, partitions: int, cool_s: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
        self.tiles: dict[TileKey, TileState] = {}
        self._rule = rule
        self._cool_s = cool_s  # by band: how long a cell that fell does not rise
        self._parts: list[dict[int, tuple[int, int]]] = [{} for _ in range(partitions)]
        self._counts: dict[int, dict[int, int]] = {r: {} for r in RESOLUTIONS}
        self._changed: dict[int, set[int]] = {r: set() for r in RESOLUTIONS}
        self._levels: dict[int, dict[int, int]] = {r: {} for r in RESOLUTIONS}
        self._bases: dict[int, dict[int, int]] = {r: {} for r in RESOLUTIONS}  # of shown cells only
        self._shown_below: dict[int, dict[int, int]] = {r: {} for r in RESOLUTIONS}  # sums of the bases of children
        self._fell_s: dict[int, dict[int, int]] = {r: {} for r in RESOLUTIONS}  # slow bands, within a day
        self._whole_until_s: int | None = None

    def restore(self, tiles: Mapping[TileKey, TileState]) -> None:
        """Takes over what another keeper published: versions go on, hysteresis keeps its memory."""
        self.tiles = dict(tiles)
        for key, state in tiles.items():
            for name, level in state.cells.items():
                cell = int(name, 16)
                self._levels[key.resolution][cell] = self._bases[key.resolution][cell] = level
                self._changed[key.resolution].add(cell)
                self._tell_parent(cell, key.resolution, level)

    def load(self, partition: int, counts: Mapping[int, tuple[int, int]]) -> None:
        """The whole of a partition: cell -> (users, settled users)."""
        gone = dict.fromkeys(self._parts[partition].keys() - counts.keys(), (0, 0))
        self.update(partition, {**gone, **counts})

    def update(self, partition: int, counts: Mapping[int, tuple[int, int]]) -> None:
        """The counts of these cells in one partition are now these."""
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
        for resolution in range(CELL_RESOLUTION, _LIVE_RESOLUTION_MAX, -1):
            self._add(resolution, settled)
            settled = _rolled_up(settled, resolution - 1)
        live = _rolled_up(live, _LIVE_RESOLUTION_MAX)
        for resolution in range(_LIVE_RESOLUTION_MAX, RESOLUTIONS[0] - 1, -1):
            self._add(resolution, live)
            live = _rolled_up(live, resolution - 1)

    def tick(self, band: int, unix_s: float) -> list[TileChange]:
        """Applies the rule to what changed in the band's resolutions and returns the tiles that now look otherwise."""
        changes: list[TileChange] = []
        for resolution in BANDS[band]:
            changes += self._into_tiles(resolution, self._evaluate(resolution, unix_s), unix_s)
        return changes

    def wholes(self, unix_s: float) -> tuple[list[TileChange], list[TileKey]]:
        """The tiles whose turn it is to come whole (each every MAP_WHOLE_S), and those that are empty and may go."""
        now = int(unix_s)
        if self._whole_until_s is not None and now // DAY_S != self._whole_until_s // DAY_S:
            self._fell_s = {
                r: {c: at for c, at in fell.items() if now - at < DAY_S} for r, fell in self._fell_s.items()
            }
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

    def _evaluate(self, resolution: int, unix_s: float) -> list[tuple[int, int]]:
        """(cell, new level) of those that look otherwise."""
        changed, self._changed[resolution] = self._changed[resolution], set()
        counts, levels, bases = self._counts[resolution], self._levels[resolution], self._bases[resolution]
        k, fell_s, cool_s = (
            self._rule.k[band_of(resolution)],
            self._fell_s[resolution],
            self._cool_s[band_of(resolution)],
        )
        result: list[tuple[int, int]] = []
        for cell in changed:
            shown = levels.get(cell, 0)
            base = self._rule.base(resolution, counts.get(cell, 0), self._shown_below[resolution].get(cell, 0))
            fell = fell_s.get(cell, 0)
            level = self._rule.level(cell, resolution, base, shown, unix_s, fell) if base >= k else 0
            if level > shown and unix_s - fell < cool_s:
                level = shown
                self._changed[resolution].add(cell)  # to be looked at again
            before = bases.get(cell, 0)
            after = base if level else 0
            if after != before:
                bases[cell] = after
                if not after:
                    del bases[cell]
                self._tell_parent(cell, resolution, after - before)
            if level != shown:
                levels[cell] = level
                if level < shown and cool_s:
                    fell_s[cell] = int(unix_s)
                if not level:
                    del levels[cell]
                result.append((cell, level))
        return result

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
