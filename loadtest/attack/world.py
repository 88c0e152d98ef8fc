"""The region that the attacks are made on, under the rule that serves (rt/presence/).

A world is a town whose people come and go, the same town at rest (nobody but victim and attacker moves: the worst
case), the country (nearly nobody, at rest), or nobody at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp
from random import Random
from typing import Final

from h3.api import basic_int as h3

from rt.map.aggregate import Aggregate, TileKey
from rt.map.geometry import tile_resolution
from rt.map.privacy import Rule

K: Final = (5, 10, 20)  # as MAP_K
AGED: Final = 40  # accounts made days ago that one attacker can have
REGION: Final = h3.latlng_to_cell(52.52, 13.40, 5)
CELLS: Final[tuple[int, ...]] = tuple(sorted(h3.cell_to_children(REGION, 7)))
NEIGHBOURS: Final = {cell: sorted(set(h3.grid_disk(cell, 1)) & set(CELLS) - {cell}) for cell in CELLS}
PARENTS: Final = {cell: {r: h3.cell_to_parent(cell, r) for r in range(2, 8)} for cell in CELLS}
STEP_S: Final = 10
FINE_STEPS: Final = 6  # the finest band changes every 60 s
STAY_STEPS: Final = 360  # people stay an hour on average


@dataclass
class World:
    """One region under the real rule: who is where, and what is published of it."""

    chance: Random
    usual: dict[int, float]  # people whom a cell usually has: what the attacker knows
    moving: bool
    now_s: float = 1_700_000_000.0
    counts: dict[int, list[int]] = field(default_factory=lambda: {cell: [0, 0] for cell in CELLS})
    steps: int = 0

    def __post_init__(self) -> None:
        self.now_s += self.chance.randrange(86_400)
        self.rule = Rule(K, self.chance.randbytes(16))
        self._aggregate = Aggregate(self.rule, 1)
        for cell, usual in self.usual.items():
            people = poisson(self.chance, usual)
            self.counts[cell] = [people, people]
        self._touched = set(CELLS)
        self.minute()

    def put(self, cell: int, people: int, *, settled: bool = True) -> None:
        """So many people more (or less) in a cell, of this region or not, from now on."""
        counts = self.counts.setdefault(cell, [0, 0])
        counts[0] += people
        counts[1] += people if settled else 0
        self._touched.add(cell)

    def step(self) -> None:
        """Ten seconds pass: the two coarser bands are drawn, each sixth time the finest too."""
        self.steps += 1
        self.now_s += STEP_S
        if self.moving:
            self._live()
        self._draw()

    def _draw(self) -> None:
        self._aggregate.update(0, {cell: (self.counts[cell][0], self.counts[cell][1]) for cell in self._touched})
        self._touched.clear()
        if self.steps % FINE_STEPS == 0:
            self._aggregate.tick(2, self.now_s)
        self._aggregate.tick(1, self.now_s)
        self._aggregate.tick(0, self.now_s)

    def minute(self) -> None:
        """Until the finest band has been drawn once."""
        self.step()
        while self.steps % FINE_STEPS:
            self.step()

    def rest(self, seconds: float) -> None:
        """Time passes in which nobody moves."""
        self.now_s += seconds
        self.steps += FINE_STEPS - self.steps % FINE_STEPS
        self._draw()

    def counted(self, cell: int, resolution: int) -> int:
        """How many people the rule counts in a cell of that resolution: what no attacker can know so well."""
        return self._aggregate.counted(cell, resolution)

    def more_than(self, own: Sequence[int]) -> bool:
        """Whether the map shows more people anywhere, in any resolution, than those in `own` (a cell for each)."""
        for key, state in self._aggregate.tiles.items():
            for name, level in state.cells.items():
                cell = int(name, 16)
                if level > sum(h3.cell_to_parent(one, key.resolution) == cell for one in own):
                    return True
        return False

    def seen(self, cell: int, resolution: int = 7) -> int:
        """What the map shows of the cell's parent of that resolution (7: of the cell)."""
        return self.seen_cell(h3.cell_to_parent(cell, resolution), resolution)

    def seen_cell(self, parent: int, resolution: int) -> int:
        """What the map shows of a cell of that resolution."""
        tile = h3.cell_to_parent(parent, tile_resolution(resolution))
        state = self._aggregate.tiles.get(TileKey(resolution, format(tile, "x")))
        return state.cells.get(format(parent, "x"), 0) if state else 0

    def picture(self, resolution: int = 7) -> dict[int, int]:
        return {cell: self.seen(cell, resolution) for cell in CELLS}

    def _live(self) -> None:
        arrivals = sum(self.usual.values()) / STAY_STEPS
        cells, weights = list(self.usual), list(self.usual.values())
        for cell in self.chance.choices(cells, weights, k=poisson(self.chance, arrivals)):
            self.put(cell, 1)
        present = [self.counts[cell][0] for cell in cells]
        for cell in self.chance.choices(cells, present, k=poisson(self.chance, sum(present) / STAY_STEPS)):
            if self.counts[cell][0] > 1:  # one may be the victim, who stays
                self.put(cell, -1)


def poisson(chance: Random, mean: float) -> int:
    """So many, where `mean` are usual."""
    limit, product, count = exp(-min(mean, 500.0)), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count
