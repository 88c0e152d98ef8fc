"""Which of 49 cells is somebody in who comes online? Five ways to find out, each names the likeliest cell."""

from collections.abc import Callable, Sequence
from functools import cache
from math import exp, lgamma, log
from typing import Final

from loadtest.attack.world import CELLS, FINE_STEPS, NEIGHBOURS, PARENTS, K, World
from rt.map.privacy import Rule

YOUNG: Final = 36  # accounts made today: they count in the live band only
PROBES: Final = 500  # positions that the attacker takes, one a tick
DOUBT: Final = 0.01  # of an attacker about a world in which nobody should have moved

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
    rules = _rules()
    return sum(rule.look(CELLS[0], 7, people, {}, 0.0).level > 0 for rule in rules) / len(rules)


@cache
def _rules() -> list[Rule]:
    return [Rule(K, b"%d" % number) for number in range(400)]


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
