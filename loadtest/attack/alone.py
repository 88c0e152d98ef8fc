"""Is a group here that is alone for hundreds of kilometres? A base, a ship, a night shift, or nobody.

The attacker looks at every resolution everywhere, first as it is, then with AGED aged accounts in as many places
around and YOUNG young ones. More than the accounts themselves, anywhere in any resolution, is a proof.
"""

from random import Random
from typing import Final

from h3.api import basic_int as h3

from loadtest.attack.edges import spread
from loadtest.attack.world import AGED, CELLS, NEIGHBOURS, World

YOUNG: Final = 500
LOOKS: Final = 3
LOOK_EVERY_S: Final = 12 * 3_600


def group(chance: Random, here: bool, *, people: int) -> bool:
    """In one place, or in three that meet at a corner."""
    world = World(chance, {}, moving=False)
    home = chance.choice(CELLS)
    for cell, some in _places(chance, home, people):
        world.put(cell, some * here)
    return _anything(world, home)


def quiet(chance: Random, gone: bool, *, people: int) -> bool:
    """A group that everybody knew of: has it gone? The attacker sees the map before and after."""
    world = World(chance, {}, moving=False)
    home = chance.choice(CELLS)
    places = _places(chance, home, people)
    for cell, some in places:
        world.put(cell, some)
    before = _anything(world, home)
    for cell, some in places:
        world.put(cell, -some * gone)
    after = _anything(world, home)
    return before and not after


def ship(chance: Random, here: bool, *, people: int) -> bool:
    """It sails through a cell every few minutes for half a day; the accounts go with it."""
    world = World(chance, {}, moving=False)
    place = chance.choice(CELLS)
    course = h3.grid_path_cells(place, h3.latlng_to_cell(53.9, 13.40, 7))
    seen = False
    for number, cell in enumerate(course):
        world.put(cell, people * here)
        around = spread(sorted(set(h3.grid_disk(cell, 4)) - {cell}), AGED)
        around = around if number % 2 else []
        for account in around:
            world.put(account, 1)
        world.rest(12 * 3_600 / len(course))
        seen = seen or world.more_than(around)
        for account in around:
            world.put(account, -1)
        world.put(cell, -people * here)
    return seen


def _places(chance: Random, home: int, people: int) -> list[tuple[int, int]]:
    near = chance.choice(NEIGHBOURS[home])
    corner = next(iter(set(h3.grid_disk(home, 1)) & set(h3.grid_disk(near, 1)) - {home, near}))
    if chance.random() < 0.5:
        return [(home, people)]
    third = people // 3
    return [(home, people - 2 * third), (near, third), (corner, third)]


def _anything(world: World, home: int) -> bool:
    """Whether the map ever shows anything, without accounts and with them."""
    seen = False
    for accounts in (False, True):
        around = spread(sorted(set(h3.grid_disk(home, 4)) - {home}), AGED if accounts else 0)
        for cell in around:
            world.put(cell, 1)
        young = spread(sorted(h3.grid_disk(home, 12)), YOUNG if accounts else 0)
        for cell in young:
            world.put(cell, 1, settled=False)
        for _ in range(LOOKS):
            world.rest(LOOK_EVERY_S)
            seen = seen or world.more_than([*around, *young])
        for cell in around:
            world.put(cell, -1)
        for cell in young:
            world.put(cell, -1, settled=False)
    return seen
