"""Is one person in this cell? Attacks on the edge of a step, by somebody who fills and empties the cell.

The person is in the cell, or in another one of the region. The attacker has AGED aged accounts there
and any number of young ones, and a day.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import cycle
from math import log
from random import Random
from statistics import NormalDist
from typing import Final

from loadtest.attack.world import AGED, CELLS, PARENTS, World
from rt.map.privacy import Step

DAY_S: Final = 86_400
TRIES: Final = 3  # to get near an edge; each waits for another slot
MINUTE_S: Final = 60
STEP_BY_STEP_S: Final = 10  # filling a cell one by one
LATE_S: Final = 20  # after the end of a slot the map has been drawn
OVER: Final = 4  # accounts taken away again once a cell is shown, as the old rule's steps ended a fifth below
FIRST: Final = 20  # the step that a fine cell shows first
BELL: Final = NormalDist()  # where edges are, up to REACH deviations: what anybody can read in the rule
TAIL: Final = 0.01
REACH: Final = -BELL.inv_cdf(TAIL)
LEVELS: Final = (FIRST, 50, 100, 200, 500, 1_000)


def falls(chance: Random, here: bool, *, moving: bool, usual: float) -> bool:
    """Fill the cell until it is shown, take OVER away, see whether it falls when the person goes."""
    world, cell, place = _scene(chance, here, usual, moving=moving)
    for _ in range(1 if moving else TRIES):
        own = 0
        while not world.seen(cell) and own < AGED:
            world.put(cell, 1)
            own += 1
            _wait(world)
        taken = min(OVER, own)
        world.put(cell, -taken)
        _wait(world, 2)
        if own < AGED and world.seen(cell):
            world.put(place, -1)
            _wait(world, 3)
            return not world.seen(cell)
        world.put(cell, taken - own)
        _next_slot(world, cell, FIRST)
    return False


def rises(chance: Random, here: bool, *, moving: bool, usual: float) -> bool:
    """Fill the cell as far as its edge is likely, see whether it rises when the person comes."""
    world, cell, place = _scene(chance, here, usual, moving=moving)
    world.put(place, -1)
    step = world.rule.step(FIRST)
    target = min(step.people + round(0.63 * step.width), round(usual) + AGED)
    for _ in range(1 if moving else TRIES):
        own = 0
        while not world.seen(cell) and (world.counts[cell][0] if not moving else round(usual) + own) < target:
            world.put(cell, 1)
            own += 1
            _wait(world)
        if not world.seen(cell):
            world.put(place, 1)
            _wait(world, 2)
            return world.seen(cell) > 0
        world.put(cell, -own)
        _next_slot(world, cell, FIRST)
    return False


def measured(chance: Random, here: bool, *, resolution: int, usual: float) -> bool:
    """Fill the cell one by one in every slot of a day, by somebody who is told how many others there are."""
    world, cell, place = _scene(chance, here, usual, moving=False)
    if PARENTS[place][resolution] == PARENTS[cell][resolution] and place != cell:  # would be neither
        world.put(place, -1)
        place = next(one for one in CELLS if PARENTS[one][resolution] != PARENTS[cell][resolution])
        world.put(place, 1)
    inside = [one for one in CELLS if PARENTS[one][resolution] == PARENTS[cell][resolution]]
    others = sum(world.counts[one][0] for one in inside) - here
    level = next(level for level in LEVELS if level + OVER >= others)
    places = cycle(inside)  # so that no child is shown, and nothing is left out of the parent
    step = world.rule.step(level)
    shown = PARENTS[cell][resolution]
    told = partial(_counted, world, shown, resolution, here)
    return _measure(world, shown, resolution, step, told, AGED, lambda: world.put(next(places), 1)) > 0


def measured_surroundings(chance: Random, here: bool, *, places: int) -> bool:
    """The same, of the number of peopled places around: is the person anywhere in the region?"""
    world, cell, place = _scene(chance, here, 0.0, moving=False)
    world.put(place, -1)
    for one in CELLS[: places - 1]:
        world.put(one, 1)
    world.put(CELLS[places - 1], int(here))
    empty = cycle(CELLS[places:])
    step = world.rule.step(world.rule.gate_step)
    told = partial(_settled, world, here)
    return _measure(world, PARENTS[cell][5], 5, step, told, AGED, lambda: world.put(next(empty), 1), least=1) > 0


def measured_live(chance: Random, here: bool, *, resolution: int) -> bool:
    """The same by young accounts in the live band: is the person online in this region of 12,000 km²?"""
    world, cell, place = _scene(chance, here, 3.0, moving=False)
    if not here:
        world.put(place, -1)
    others = sum(world.counts[one][0] for one in CELLS) - here
    level = next(level for level in LEVELS if level + OVER >= others)
    fill = partial(world.put, cell, 1, settled=False)
    step = world.rule.step(level)
    told = partial(_counted, world, PARENTS[cell][resolution], resolution, here)
    return _measure(world, PARENTS[cell][resolution], resolution, step, told, 2 * level, fill) > 0


def _counted(world: World, cell: int, resolution: int, here: bool) -> int:
    return world.counted(cell, resolution) - here


def _settled(world: World, here: bool) -> int:
    return sum(counts[1] for counts in world.counts.values()) - here


def _measure(
    world: World,
    shown: int,
    resolution: int,
    step: Step,
    told: Callable[[], int],
    accounts: int,
    fill: Callable[[], None],
    least: int | None = None,
) -> float:
    """Logarithm of how much likelier the person is here, after a day of filling once a slot.

    The attacker is `told` how many people the rule counts but for the person, at every moment.
    """
    evidence, end_s = 0.0, world.now_s + DAY_S
    before = {cell: list(counts) for cell, counts in world.counts.items()}
    while True:
        for cell, counts in before.items():
            world.put(cell, counts[1] - world.counts[cell][1])
            world.put(cell, counts[0] - world.counts[cell][0], settled=False)
        slot_end_s = world.rule.end_s(shown, step.people, world.now_s) + LATE_S
        if slot_end_s > end_s:
            return evidence
        world.rest(slot_end_s - world.now_s)
        own, wanted = 0, least or step.people
        before_that, there = 0, told()
        while world.seen_cell(shown, resolution) < wanted and own < accounts:
            fill()
            own += 1
            world.rest(STEP_BY_STEP_S)
            before_that, there = there, told()
        if world.seen_cell(shown, resolution) >= wanted:
            with_ = _reached(step, there + 1) - (_reached(step, before_that + 1) if own else 0.0)
            without = _reached(step, there) - (_reached(step, before_that) if own else 0.0)
        else:
            with_, without = 1 - _reached(step, there + 1), 1 - _reached(step, there)
        evidence += log(max(with_, 1e-6)) - log(max(without, 1e-6))


def _reached(step: Step, people: int) -> float:
    """How often so many people reach a step: what the attacker knows of the rule."""
    share = min(max((people - step.people) / step.width, 0.0), 1.0)
    return (BELL.cdf((2 * share - 1) * REACH) - TAIL) / (1 - 2 * TAIL)


def _scene(chance: Random, here: bool, usual: float, *, moving: bool) -> tuple[World, int, int]:
    """A world, the cell in question, and where the person is."""
    world = World(chance, dict.fromkeys(CELLS, usual), moving)
    cell = chance.choice(CELLS)
    place = cell if here else chance.choice([one for one in CELLS if one != cell])
    world.put(place, 1)
    world.minute()
    return world, cell, place


def _wait(world: World, minutes: int = 1) -> None:
    for _ in range(minutes):
        if world.moving:
            world.minute()
        else:
            world.rest(MINUTE_S)


def _next_slot(world: World, cell: int, people: int) -> None:
    left_s = world.rule.end_s(cell, people, world.now_s) + LATE_S - world.now_s
    if world.moving:
        _wait(world, int(left_s // MINUTE_S) + 1)
    else:
        world.rest(left_s)


def spread(cells: Iterable[int], accounts: int) -> list[int]:
    """Where so many accounts go, one after the other, over these cells again and again."""
    order = list(cells)
    return [order[number % len(order)] for number in range(accounts)]
