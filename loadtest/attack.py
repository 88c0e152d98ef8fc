"""`make attack`: does the map give a person's cell away? A simulation against the rule that serves (rt/presence/).

python -m loadtest.attack [--trials N] [--seed N]

A victim comes online in one of the 49 cells of resolution 7 of a region that the attacker already knows (about
250 km²). The attacker sees every resolution of the published map at every tick, knows how many people each cell
usually has, and has accounts: 36 younger than a day, and some that were made days ago. Each attack names one cell.
A world is a town whose people come and go, the same town at rest (nobody but victim and attacker moves: the worst
case), or the country (nearly nobody, at rest). Blind guessing names the cell that most people are in; an attack may
be at most MARGIN better. A run is made by its seed alone.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from math import exp, lgamma, log, sqrt
from random import Random
from typing import Final

from h3.api import basic_int as h3

from loadtest import fingerprints
from rt.presence.aggregate import Aggregate, TileKey
from rt.presence.privacy import COOL_TICKS, Rule
from rt.presence.rules import tile_resolution

MARGIN: Final = 0.05
TRIALS: Final = 150
SEED: Final = 3
K: Final = (5, 10, 20)  # as MAP_K
YOUNG: Final = 36  # accounts made today: they count in the live band only
PROBES: Final = 500  # positions that the attacker takes, one a tick
REGION: Final = h3.latlng_to_cell(52.52, 13.40, 5)
CELLS: Final[tuple[int, ...]] = tuple(sorted(h3.cell_to_children(REGION, 7)))
NEIGHBOURS: Final = {cell: sorted(set(h3.grid_disk(cell, 1)) & set(CELLS) - {cell}) for cell in CELLS}
PARENTS: Final = {cell: {r: h3.cell_to_parent(cell, r) for r in range(2, 8)} for cell in CELLS}
DOUBT: Final = 0.01  # of an attacker about a world in which nobody should have moved
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
        cool_s = (0.0, COOL_TICKS * STEP_S, COOL_TICKS * STEP_S * FINE_STEPS)
        self._aggregate = Aggregate(Rule(K, self.chance.randbytes(16)), 1, cool_s)
        for cell, usual in self.usual.items():
            people = _poisson(self.chance, usual)
            self.counts[cell] = [people, people]
        self._touched = set(CELLS)
        self.minute()

    def put(self, cell: int, people: int, *, settled: bool = True) -> None:
        """So many people more (or less) in a cell from now on."""
        self.counts[cell][0] += people
        self.counts[cell][1] += people if settled else 0
        self._touched.add(cell)

    def step(self) -> None:
        """Ten seconds pass: the two coarser bands are drawn, each sixth time the finest too."""
        self.steps += 1
        self.now_s += STEP_S
        if self.moving:
            self._live()
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

    def seen(self, cell: int, resolution: int = 7) -> int:
        """What the map shows of the cell's parent of that resolution (7: of the cell)."""
        parent = PARENTS[cell][resolution]
        tile = h3.cell_to_parent(parent, tile_resolution(resolution))
        state = self._aggregate.tiles.get(TileKey(resolution, format(tile, "x")))
        return state.cells.get(format(parent, "x"), 0) if state else 0

    def picture(self, resolution: int = 7) -> dict[int, int]:
        return {cell: self.seen(cell, resolution) for cell in CELLS}

    def _live(self) -> None:
        arrivals = sum(self.usual.values()) / STAY_STEPS
        cells, weights = list(self.usual), list(self.usual.values())
        for cell in self.chance.choices(cells, weights, k=_poisson(self.chance, arrivals)):
            self.put(cell, 1)
        present = [self.counts[cell][0] for cell in cells]
        for cell in self.chance.choices(cells, present, k=_poisson(self.chance, sum(present) / STAY_STEPS)):
            if self.counts[cell][0] > 1:  # one may be the victim, who stays
                self.put(cell, -1)


Weights = dict[int, float]
Attack = Callable[[World, int, int], Weights]


def watch(world: World, victim: int, _aged: int) -> Weights:
    """Differencing: the map before and after the victim comes online."""
    before = [world.picture(resolution) for resolution in (7, 6, 5)]
    world.put(victim, 1)
    world.minute()
    return _risen(world, before)


def crowd(world: World, victim: int, aged: int) -> Weights:
    """Made-up users spread over the likeliest cells, so that one more person may lift a cell over its threshold."""
    likely = sorted(CELLS, key=lambda cell: -world.usual[cell])
    for number in range(YOUNG):
        world.put(likely[number % len(likely)], 1, settled=False)
    for number in range(aged):
        world.put(likely[number % len(likely)], 1)
    world.minute()
    return watch(world, victim, aged)


def zoom(world: World, victim: int, _aged: int) -> Weights:
    """Subtraction: a parent that rose although its shown children did not has the victim in a hidden one."""
    before = {resolution: world.picture(resolution) for resolution in (7, 6, 5, 4)}
    world.put(victim, 1)
    world.minute()
    result = dict.fromkeys(CELLS, 1.0)
    for cell in CELLS:
        for resolution in (6, 5, 4):
            parent = PARENTS[cell][resolution]
            siblings = {PARENTS[one][resolution + 1]: one for one in CELLS if PARENTS[one][resolution] == parent}
            rest = world.seen(cell, resolution) - sum(world.seen(one, resolution + 1) for one in siblings.values())
            rest -= before[resolution][cell] - sum(before[resolution + 1][one] for one in siblings.values())
            hidden = not world.seen(cell, resolution + 1)
            if rest > 0 and hidden:
                result[cell] *= 20.0
            elif rest > 0:
                result[cell] *= 0.5
    return _times(result, _risen(world, [before[7], before[6], before[5]]))


def follow(world: World, victim: int, _aged: int) -> Weights:
    """Trajectory: the victim walks through six neighbouring cells; each hop must fit what rises and what falls."""
    score: Weights = dict.fromkeys(CELLS, 1.0)
    path = [world.chance.choice(NEIGHBOURS[victim])]
    for _ in range(4):
        path.append(world.chance.choice(NEIGHBOURS[path[-1]]))
    path = [*reversed(path), victim]
    here = None
    for cell in path:
        before = world.picture()
        if here is not None:
            world.put(here, -1)
        world.put(cell, 1)
        here = cell
        for _ in range(3):
            world.minute()
        after = world.picture()
        rise = {one: 12.0 if after[one] > before[one] else 1.0 for one in CELLS}
        fall = {one: 12.0 if after[one] < before[one] else 1.0 for one in CELLS}
        moved = {one: sum(score[near] * fall[near] for near in NEIGHBOURS[one]) for one in CELLS}
        total = sum(moved.values())
        score = {one: moved[one] * rise[one] / total for one in CELLS}
    return score


def probe(world: World, victim: int, aged: int) -> Weights:
    """500 probes by somebody who knows the rule, but not its key: fill a hidden cell, see whether it rises, reckon.

    Half of the probes measure the background before the victim comes, the others ask where one more person is.
    """
    suspects = {cell: Suspect(world.usual[cell], aged) for cell in CELLS if not world.seen(cell)}
    order = sorted(suspects, key=lambda cell: abs(world.usual[cell] + aged - 1.1 * K[2]))
    for number in range(PROBES // 2 if order else 0):
        _try(world, order[number % len(order)], suspects, aged, here=False)
    before = [world.picture(resolution) for resolution in (7, 6, 5)]
    world.put(victim, 1)
    world.minute()
    result = _risen(world, before)
    order = [cell for cell in order if not world.seen(cell)]
    for number in range(PROBES // 2 if order else 0):
        _try(world, order[number % len(order)], suspects, aged, here=True)
    return {cell: result[cell] * (suspects[cell].odds if cell in suspects else 1.0) for cell in CELLS}


class Suspect:
    """What the attacker believes of one hidden cell: how many others are in it, with the victim and without."""

    def __init__(self, usual: float, aged: int) -> None:
        people = range(K[2] + aged)
        prior = [exp(-usual + n * log(usual) - lgamma(n + 1)) * (1 - _rises(n)) for n in people]
        self.without = prior
        self.having = list(prior)
        self.tried = [0, 0]  # most people added without a rise since the threshold was drawn: without and with victim

    def choose(self, aged: int, number: int) -> int:
        """How many to add: so that the likely total is where the step may begin."""
        likely = max(range(len(self.without)), key=self.without.__getitem__)
        return max(1, min(aged, K[2] + 1 + number % (K[2] // 2) - likely))

    def learn(self, added: int, *, rose: bool, here: bool) -> None:
        """Bayes' rule, with a little doubt, since others come and go."""
        self.without = self._after(self.without, added, self.tried[0], 0, rose=rose)
        self.having = self._after(self.having, added, self.tried[1], int(here), rose=rose)
        self.tried = [0, 0] if rose else [max(self.tried[0], added), max(self.tried[1], added + here)]
        total = sum(self.without) + sum(self.having)
        self.without = [one / total for one in self.without]
        self.having = [one / total for one in self.having]

    @property
    def odds(self) -> float:
        """How much likelier the victim is here than before any probe."""
        return sum(self.having) / (sum(self.without) or 1e-9)

    @staticmethod
    def _after(belief: list[float], added: int, tried: int, victim: int, *, rose: bool) -> list[float]:
        result = []
        for others, weight in enumerate(belief):
            left = 1 - _rises(others + tried)
            stays = (1 - _rises(others + added + victim)) / left if left > 0 and added + victim > tried else 1.0
            result.append(weight * max(1 - stays if rose else min(stays, 1.0), DOUBT))
        return result


def _try(world: World, cell: int, suspects: dict[int, Suspect], aged: int, *, here: bool) -> None:
    if world.seen(cell):  # has risen by itself, or is not empty again: nothing to learn
        world.minute()
        return
    suspect = suspects[cell]
    added = suspect.choose(aged, world.steps // FINE_STEPS)
    world.put(cell, added)
    world.minute()
    suspect.learn(added, rose=world.seen(cell) > 0, here=here)
    world.put(cell, -added)


@cache
def _rises(people: int) -> float:
    """How often so many people lift a cell of resolution 7 over its first threshold, over many keys."""
    rules = [Rule(K, b"%d" % number) for number in range(400)]
    return sum(rule.level(CELLS[0], 7, people, 0, 0.0) > 0 for rule in rules) / len(rules)


def _risen(world: World, before: Sequence[dict[int, int]]) -> Weights:
    """Cells that rose, also as part of a parent that did: likelier by what such a rise is worth."""
    result = dict.fromkeys(CELLS, 1.0)
    for resolution, old in zip((7, 6, 5), before, strict=True):
        for cell in CELLS:
            if world.seen(cell, resolution) > old[cell]:
                result[cell] *= {7: 30.0, 6: 6.0, 5: 1.0}[resolution]
    return result


def _times(first: Weights, second: Weights) -> Weights:
    return {cell: first[cell] * second[cell] for cell in CELLS}


@dataclass(frozen=True)
class Case:
    """One row: an attack in a kind of world with so many aged accounts."""

    name: str
    attack: Attack
    town: bool
    moving: bool
    aged: int = 0


CASES: Final = (
    Case("differencing, town", watch, town=True, moving=True),
    Case("differencing, town at rest", watch, town=True, moving=False),
    Case("differencing, country", watch, town=False, moving=False),
    Case("40 made-up users, town at rest", crowd, town=True, moving=False, aged=4),
    Case("40 made-up users, country", crowd, town=False, moving=False, aged=4),
    Case("zoom subtraction, town", zoom, town=True, moving=True),
    Case("zoom subtraction, town at rest", zoom, town=True, moving=False),
    Case("trajectory, town", follow, town=True, moving=True),
    Case("trajectory, town at rest", follow, town=True, moving=False),
    Case("500 probes, 4 aged accounts, town", probe, town=True, moving=True, aged=4),
    Case("500 probes, 4 aged accounts, at rest", probe, town=True, moving=False, aged=4),
    Case("500 probes, 19 aged accounts, at rest", probe, town=True, moving=False, aged=K[2] - 1),
    Case("500 probes, 19 aged accounts, country", probe, town=False, moving=False, aged=K[2] - 1),
)


@dataclass(frozen=True)
class Outcome:
    """Shares of hits of so many trials; `blind` is what the same guesses had been worth without the map."""

    hits: float
    blind: float
    trials: int

    @property
    def error(self) -> float:
        """The standard error of `hits`."""
        return sqrt(max(self.hits * (1 - self.hits), 1 / self.trials) / self.trials)


def run(case: Case, trials: int, seed: int) -> Outcome:
    """Plays the case; the same worlds and victims for the same seed."""
    hits, blind = 0, 0.0
    for number in range(trials):
        chance = Random(f"{seed} {case.name} {number}")
        usual = {cell: _usual(chance, town=case.town) for cell in CELLS}
        total = sum(usual.values())
        victim = chance.choices(CELLS, [usual[cell] for cell in CELLS])[0]
        evidence = case.attack(World(chance, usual, case.moving), victim, case.aged)
        guess = max(CELLS, key=lambda cell: usual[cell] * evidence[cell])
        hits += guess == victim
        blind += max(usual.values()) / total
    return Outcome(hits / trials, blind / trials, trials)


def _usual(chance: Random, *, town: bool) -> float:
    """People of a cell: about 1 to 60 in a town, fewer than 2 in the country."""
    return min(chance.lognormvariate(2.6, 0.8), 60.0) if town else chance.uniform(0.2, 2.0)


def _poisson(chance: Random, mean: float) -> int:
    limit, product, count = exp(-min(mean, 500.0)), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def main() -> int:
    """Prints a line for each case, and how many workouts are unique; exit code 1 where one tells too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    print(f"{'attack':<40} {'hits':>7} {'blind':>7} {'better by':>10}   (of {options.trials} trials each, k = {K})")
    worst = 0.0
    with ProcessPoolExecutor() as pool:
        outcomes = pool.map(run, CASES, repeat(options.trials), repeat(options.seed))
    for case, outcome in zip(CASES, outcomes, strict=True):
        gain = outcome.hits - outcome.blind
        worst = max(worst, gain)
        over = "" if gain <= MARGIN else "   TOO MUCH"
        better = f"{gain * 100:>+6.1f} ± {outcome.error * 100:.1f}"
        print(f"{case.name:<40} {outcome.hits:>7.1%} {outcome.blind:>7.1%} {better}{over}", flush=True)
    print(f"worst: {worst * 100:+.1f} points; at most {MARGIN * 100:g} are allowed")
    alike = fingerprints.run(options.seed)
    print(fingerprints.show(alike))
    return 0 if worst <= MARGIN and alike.holds else 1


if __name__ == "__main__":
    sys.exit(main())
