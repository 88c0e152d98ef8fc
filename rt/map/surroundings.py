"""Where enough people are around for anything to be shown. Pure.

A cell of resolution 2-5 is looked at by itself, a finer one by its parent of resolution 5 (about 250 km²). What
counts is how many places are peopled there, not how many people are: of each cell of resolution 7 a few count at
most. A town passes; a base, a ship or a night shift does not, nor with forty made-up people around it.
"""

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from math import inf
from typing import Final

from h3.api import basic_int as h3

from rt.map.privacy import Rule

COARSEST: Final = 2
FINEST: Final = 5
_BUCKET_S: Final = 10  # how late something may be looked at again


class Agenda:
    """Cells that must be looked at again at some time."""

    __slots__ = ("_buckets", "_order")

    def __init__(self) -> None:
        self._buckets: dict[int, set[int]] = {}
        self._order: list[int] = []

    def add(self, cell: int, at_s: float) -> None:
        """Once more at that time (Unix seconds) or within _BUCKET_S after it."""
        bucket = int(at_s) // _BUCKET_S + 1
        if bucket not in self._buckets:
            self._buckets[bucket] = set()
            heappush(self._order, bucket)
        self._buckets[bucket].add(cell)

    def take(self, unix_s: float) -> set[int]:
        """Those whose time has come."""
        due: set[int] = set()
        while self._order and self._order[0] * _BUCKET_S <= unix_s:
            due |= self._buckets.pop(heappop(self._order))
        return due


class Surroundings:
    """See the module. `update` with what changed, `look` once a tick, `around` in between."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._people: dict[int, int] = {}
        self._held: dict[int, dict[int, int]] = {}  # of those that pass
        self._changed: dict[int, set[int]] = {r: set() for r in range(COARSEST, FINEST + 1)}
        self._agenda: dict[int, Agenda] = {r: Agenda() for r in range(COARSEST, FINEST + 1)}

    def restore(self, cell: int, resolution: int, unix_s: float) -> None:
        """Something in this cell was shown by the last keeper: it has passed, until its slot ends."""
        gate = _gate_of(cell, resolution)
        until_s = self._rule.end_s(gate, self._rule.gate_step, unix_s)
        self._held[gate] = {self._rule.gate_step: until_s}
        self._agenda[min(resolution, FINEST)].add(gate, until_s)

    def update(self, counts: Mapping[int, tuple[int, int]]) -> None:
        """Settled people of cells of resolution 7: before and now."""
        most = self._rule.place_people
        changes: dict[int, int] = {}
        for cell, (before, now) in counts.items():
            by = min(now, most) - min(before, most)
            if by:
                gate = h3.cell_to_parent(cell, FINEST)
                changes[gate] = changes.get(gate, 0) + by
        for resolution in range(FINEST, COARSEST - 1, -1):
            above: dict[int, int] = {}
            for gate, by in changes.items():
                if not by:
                    continue
                people = self._people[gate] = self._people.get(gate, 0) + by
                if not people:
                    del self._people[gate]
                self._changed[resolution].add(gate)
                if resolution > COARSEST:
                    parent = h3.cell_to_parent(gate, resolution - 1)
                    above[parent] = above.get(parent, 0) + by
            changes = above

    def look(self, resolutions: Iterable[int], unix_s: float) -> list[tuple[int, int]]:
        """(cell, its resolution) of those that pass from now on, or no longer."""
        turned: list[tuple[int, int]] = []
        for resolution in resolutions:
            changed, self._changed[resolution] = self._changed[resolution], set()
            for gate in changed | self._agenda[resolution].take(unix_s):
                held = self._held.get(gate, {})
                passed = bool(held)
                level, due_s = self._rule.surrounded(gate, self._people.get(gate, 0), held, unix_s)
                if held:
                    self._held[gate] = held
                elif passed:
                    del self._held[gate]
                if bool(level) != passed:
                    turned.append((gate, resolution))
                if due_s < inf:
                    self._agenda[resolution].add(gate, due_s)
        return turned

    def around(self, cell: int, resolution: int) -> bool:
        """Whether a cell may be shown by what is around it."""
        return not self._rule.guards(resolution) or _gate_of(cell, resolution) in self._held


def _gate_of(cell: int, resolution: int) -> int:
    parent: int = cell if resolution <= FINEST else h3.cell_to_parent(cell, FINEST)
    return parent
