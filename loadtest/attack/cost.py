"""What privacy costs: cells and people that the map shows of PEOPLE people in CITIES cities, beside a bare k-rule.

The cities' sizes follow Zipf's law; the people of one are spread around its middle, the wider the larger it is, some
40 km at most. The bare rule shows every cell that has k people, and nothing else; it is what `make attack` beats.
"""

from collections import Counter
from math import cos, radians
from random import Random
from typing import Final, NamedTuple

from h3.api import basic_int as h3

from loadtest.attack.world import K
from rt.map.aggregate import Aggregate
from rt.map.geometry import RESOLUTIONS
from rt.map.privacy import Rule, band_of

PEOPLE: Final = 50_000
CITIES: Final = 200
WIDEST_KM: Final = 12.0  # standard deviation of the largest city
BIG: Final = 10  # cities
_KM_A_DEGREE: Final = 111.2
_LOOK_EVERY_S: Final = 6 * 3_600


class Shown(NamedTuple):
    """Of one resolution: shares of people who are in a shown cell: everybody, and those of the BIG largest cities."""

    resolution: int
    cells: int
    people: float
    in_big: float


def population(chance: Random) -> list[list[int]]:
    """The cells of resolution 7 of everybody, by city, the largest first."""
    harmonic = sum(1 / rank for rank in range(1, CITIES + 1))
    cities = []
    for rank in range(1, CITIES + 1):
        lat, lng = chance.uniform(-50, 60), chance.uniform(-180, 180)
        spread = WIDEST_KM / _KM_A_DEGREE / rank ** (1 / 3)
        cities.append(
            [
                h3.latlng_to_cell(
                    chance.gauss(lat, spread), (chance.gauss(lng, spread / cos(radians(lat))) + 180) % 360 - 180, 7
                )
                for _ in range(round(PEOPLE / harmonic / rank))
            ]
        )
    return cities


def bare(cities: list[list[int]], _seed: int) -> list[Shown]:
    """Every cell with at least k people."""
    shown = {}
    for resolution in RESOLUTIONS:
        counts = Counter(h3.cell_to_parent(cell, resolution) for city in cities for cell in city)
        shown[resolution] = {cell for cell, count in counts.items() if count >= K[band_of(resolution)]}
    return _of(cities, shown)


def drawn(cities: list[list[int]], seed: int) -> list[Shown]:
    """By the rule that serves, once."""
    chance = Random(f"{seed} cost")
    aggregate = Aggregate(Rule(K, chance.randbytes(16)), 1)
    aggregate.load(
        0, {cell: (count, count) for cell, count in Counter(cell for city in cities for cell in city).items()}
    )
    now_s = 1_700_000_000.0 + chance.randrange(_LOOK_EVERY_S)
    for band in (2, 1, 0):
        aggregate.tick(band, now_s)
    shown: dict[int, set[int]] = {resolution: set() for resolution in RESOLUTIONS}
    for key, state in aggregate.tiles.items():
        shown[key.resolution] |= {int(cell, 16) for cell in state.cells}
    return _of(cities, shown)


def _of(cities: list[list[int]], shown: dict[int, set[int]]) -> list[Shown]:
    result = []
    for resolution in RESOLUTIONS:
        seen = [sum(h3.cell_to_parent(cell, resolution) in shown[resolution] for cell in city) for city in cities]
        everybody, big = sum(map(len, cities)), sum(map(len, cities[:BIG]))
        result.append(Shown(resolution, len(shown[resolution]), sum(seen) / everybody, sum(seen[:BIG]) / big))
    return result


def lines(seed: int) -> list[str]:
    """The table."""
    cities = population(Random(f"{seed} cities"))
    heads = f"{'people in shown cells':<40} {'bare k-rule':>26} {'as served':>30}"
    rows = [heads, f"{'':<40} {'cells':>8} {'all':>8} {'10 largest':>10} {'cells':>9} {'all':>8} {'10 largest':>10}"]
    for before, after in zip(bare(cities, seed), drawn(cities, seed), strict=True):
        rows.append(
            f"{f'resolution {before.resolution}':<40} {before.cells:>8} {before.people:>8.0%} {before.in_big:>10.0%}"
            f" {after.cells:>9} {after.people:>8.0%} {after.in_big:>10.0%}"
        )
    return rows
