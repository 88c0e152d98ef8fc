"""The attacks of `make attack`, and what blind guessing gets at each.

Where: which of the 49 cells of a region is somebody in who comes online; blind guessing names the cell that most
people are in. Whether: yes or no, in every second trial; blind guessing is right half of the time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import sqrt
from random import Random
from typing import Final

from loadtest.attack import alone, edges
from loadtest.attack.where import Attack, crowd, follow, probe, watch, zoom
from loadtest.attack.world import CELLS, K, World

MARGIN: Final = 0.05
TRIALS: Final = 150
SEED: Final = 3


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


@dataclass(frozen=True)
class Where:
    """One row: an attack in a kind of world with so many aged accounts."""

    name: str
    attack: Attack
    town: bool
    moving: bool
    aged: int = 0

    def run(self, trials: int, seed: int) -> Outcome:
        """Plays it; the same worlds and victims for the same seed."""
        hits, blind = 0, 0.0
        for number in range(trials):
            chance = Random(f"{seed} {self.name} {number}")
            usual = {cell: _usual(chance, town=self.town) for cell in CELLS}
            victim = chance.choices(CELLS, [usual[cell] for cell in CELLS])[0]
            evidence = self.attack(World(chance, usual, self.moving), victim, self.aged)
            guess = max(CELLS, key=lambda cell: usual[cell] * evidence[cell])
            hits += guess == victim
            blind += max(usual.values()) / sum(usual.values())
        return Outcome(hits / trials, blind / trials, trials)


@dataclass(frozen=True)
class Whether:
    """One row: a question of yes or no. `play` returns the attacker's answer, "no" where the map tells nothing."""

    name: str
    play: Callable[[Random, bool], bool]
    times: int = 1  # so many times more trials than asked for: half of them are right by chance

    def run(self, trials: int, seed: int) -> Outcome:
        """Plays it; the same worlds for the same seed."""
        trials *= self.times
        truths = [number % 2 == 0 for number in range(trials)]
        hits = sum(
            self.play(Random(f"{seed} {self.name} {number}"), truth) == truth for number, truth in enumerate(truths)
        )
        return Outcome(hits / trials, 0.5, trials)


def _usual(chance: Random, *, town: bool) -> float:
    """People of a cell: about 1 to 60 in a town, fewer than 2 in the country."""
    return min(chance.lognormvariate(2.6, 0.8), 60.0) if town else chance.uniform(0.2, 2.0)


CASES: Final[tuple[Where | Whether, ...]] = (
    Where("differencing, town", watch, town=True, moving=True),
    Where("differencing, town at rest", watch, town=True, moving=False),
    Where("differencing, country", watch, town=False, moving=False),
    Where("40 made-up users, town at rest", crowd, town=True, moving=False, aged=4),
    Where("40 made-up users, country", crowd, town=False, moving=False, aged=4),
    Where("zoom subtraction, town", zoom, town=True, moving=True),
    Where("zoom subtraction, town at rest", zoom, town=True, moving=False),
    Where("trajectory, town", follow, town=True, moving=True),
    Where("trajectory, town at rest", follow, town=True, moving=False),
    Where("500 probes, 4 aged accounts, town", probe, town=True, moving=True, aged=4),
    Where("500 probes, 4 aged accounts, at rest", probe, town=True, moving=False, aged=4),
    Where("500 probes, 19 aged accounts, at rest", probe, town=True, moving=False, aged=K[2] - 1),
    Where("500 probes, 19 aged accounts, country", probe, town=False, moving=False, aged=K[2] - 1),
    Whether("edge by a fall, 3 a cell, at rest", partial(edges.falls, moving=False, usual=3.0), 8),
    Whether("edge by a fall, 10 a cell, at rest", partial(edges.falls, moving=False, usual=10.0), 8),
    Whether("edge by a fall, 10 a cell, moving", partial(edges.falls, moving=True, usual=10.0), 2),
    Whether("edge by a rise, 10 a cell, at rest", partial(edges.rises, moving=False, usual=10.0), 12),
    Whether("edge by a rise, 10 a cell, moving", partial(edges.rises, moving=True, usual=10.0), 2),
    Whether("edge measured a day, resolution 7", partial(edges.measured, resolution=7, usual=15.0), 16),
    Whether("edge measured a day, resolution 6", partial(edges.measured, resolution=6, usual=7.0), 12),
    Whether("edge of the surroundings, a day", partial(edges.measured_surroundings, places=40), 8),
    Whether("edge by young accounts, resolution 3", partial(edges.measured_live, resolution=3), 4),
    *(Whether(f"lone group of {people}", partial(alone.group, people=people), 2) for people in (12, 20, 30, 100)),
    *(Whether(f"lone group of {people} goes quiet", partial(alone.quiet, people=people), 2) for people in (30, 100)),
    *(Whether(f"ship at sea, {people} aboard", partial(alone.ship, people=people)) for people in (20, 100)),
)
