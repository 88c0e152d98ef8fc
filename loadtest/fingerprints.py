"""Part of `make attack`: how many workouts are the only one of their kind, as the community hears them.

People have routines of two to five days, made of the reference exercises: some are popular and most are rare (Zipf).
A routine is repeated with a set or a few repetitions more or less, now and then without an exercise. What the
community hears of each workout is what the relay makes of it (worker/translate.py). A workout is unique where nobody
else's of so many looks the same: whoever knows the routine knows whose it was.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, chain, repeat
from random import Random
from typing import Final

import orjson

from api.reference import data
from api.reference.rules import Exercise
from api.workouts.rules import Set, WorkoutExercise, total_units, training_units
from config.events import anonymous

WORKOUTS: Final = 100_000
SHARE_MAX: Final = 0.01  # unique of all of them
WINDOW: Final = 1_000  # as many as a gateway keeps of the community
PARTS: Final = 20  # simulated beside each other, with the same popularity
PER_PERSON: Final = 5
THEME: Final = 0.7  # of a day's exercises train the part of the body that the day is about
LEFT_OUT: Final = 0.08
DAYS: Final = (2, 5)
EXERCISES: Final = ((1, 2, 3, 4, 5, 6, 7, 8), (3, 5, 11, 20, 24, 18, 11, 8))
SETS_MORE: Final = (-1, 0, 0, 0, 0, 0, 0, 0, 1)
REPS_MORE: Final = (-2, -1, 0, 0, 0, 0, 0, 1, 2)
SCHEMES: Final = ((3, 10), (3, 12), (4, 8), (5, 5), (3, 8), (4, 10), (3, 15), (4, 12), (5, 10))

Day = list[tuple[Exercise, tuple[int, int]]]


@dataclass(frozen=True)
class Report:
    """Shares of unique workouts, and how many kinds there are; `in_window`: of WINDOW in a row."""

    workouts: int
    kinds: int
    unique: float
    in_window: float

    @property
    def holds(self) -> bool:
        return self.unique < SHARE_MAX


class _Gym:
    """The exercises by popularity; those of one part of the body too."""

    def __init__(self, seed: int) -> None:
        exercises = list(data.load().exercises)
        Random(f"{seed} popularity").shuffle(exercises)
        self._all = _weighed(exercises)
        parts: dict[str, list[Exercise]] = {}
        for exercise in exercises:
            parts.setdefault(anonymous.MUSCLES[exercise.muscles[0].muscle.slug][0], []).append(exercise)
        self._parts = {part: _weighed(found) for part, found in parts.items()}

    def day(self, chance: Random) -> Day:
        """One day of a routine."""
        wanted = chance.choices(*EXERCISES)[0]
        theme = self._parts[chance.choice(sorted(self._parts))]
        chosen: dict[str, Exercise] = {}
        for _ in range(4 * wanted):  # a part has few exercises
            exercises, weights = theme if chance.random() < THEME else self._all
            one = chance.choices(exercises, cum_weights=weights)[0]
            chosen[one.slug] = one
            if len(chosen) == wanted:
                break
        return [(one, chance.choice(SCHEMES)) for one in chosen.values()]


def _weighed(exercises: list[Exercise]) -> tuple[list[Exercise], list[float]]:
    return exercises, list(accumulate(1 / rank for rank in range(1, len(exercises) + 1)))


def _workout(day: Day, chance: Random) -> list[WorkoutExercise]:
    done: list[WorkoutExercise] = []
    for exercise, (sets, reps) in day:
        if len(day) > 1 and done and chance.random() < LEFT_OUT:
            continue
        count = max(1, sets + chance.choice(SETS_MORE))
        # Units come of the sum of the reps: one set of all of them weighs the same, and is quicker.
        done.append(WorkoutExercise(exercise, (Set(count * (reps + chance.choice(REPS_MORE))),)))
    return done


def workouts(seed: int, part: int, count: int) -> Iterator[list[WorkoutExercise]]:
    """So many workouts, PER_PERSON of each person; the same for the same seed and part."""
    gym, chance = _Gym(seed), Random(f"{seed} {part}")
    for number in range(count):
        if number % PER_PERSON == 0:
            routine = [gym.day(chance) for _ in range(chance.randint(*DAYS))]
        yield _workout(chance.choice(routine), chance)


def heard(done: Sequence[WorkoutExercise]) -> bytes:
    """What the community hears of it, the same bytes for the same."""
    muscles = training_units(done)
    event = {
        "total_tu": total_units(muscles),
        "exercises": [{"slug": one.exercise.slug, "name": one.exercise.name} for one in done],
        "muscles": [{"slug": one.muscle.slug, "training_units": one.training_units} for one in muscles],
    }
    return orjson.dumps(anonymous.told("workout_completed", 1, event), option=orjson.OPT_SORT_KEYS)


def _part(seed: int, part: int, count: int) -> list[bytes]:
    return [heard(done) for done in workouts(seed, part, count)]


def run(seed: int = 3, count: int = WORKOUTS) -> Report:
    """Simulates and counts; a quarter of a minute on two cores for WORKOUTS."""
    with ProcessPoolExecutor() as pool:
        each = pool.map(_part, repeat(seed), range(PARTS), repeat(count // PARTS))
        told = list(chain.from_iterable(each))
    kinds = Counter(told)
    windows = [Counter(told[at : at + WINDOW]) for at in range(0, len(told), WINDOW)]
    return Report(len(told), len(kinds), _unique(kinds) / len(told), sum(map(_unique, windows)) / len(told))


def _unique(kinds: Counter[bytes]) -> int:
    return sum(count == 1 for count in kinds.values())


def show(report: Report) -> str:
    """The line that `make attack` prints."""
    return (
        f"anonymous workouts: {report.unique:.2%} of {report.workouts:,} are unique ({report.kinds} kinds;"
        f" {report.in_window:.1%} within {WINDOW:,}); under {SHARE_MAX:.0%} are allowed"
        + ("" if report.holds else "   TOO MANY")
    )
