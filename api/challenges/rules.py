"""Challenges: which a user has, what a workout adds to each, and how one stands. Pure.

The three of a day are those at `daily_places` of the pool, a function of user and date that SQL has too; those of a
week are the same for everybody.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Final
from uuid import UUID, uuid5

import msgspec

from api.reference.goals import COMMUNITY, DAILY, Goal, Goals
from api.reference.rules import NAMESPACE, PRIME_MOVER_MIN, Exercise
from config.errors import NotFound

COMMUNITY_AT_ONCE: Final = 4  # to join in a week
_FIRST_MONDAY: Final = date(1970, 1, 5)
_EPOCH: Final = date(1970, 1, 1)
# Of what is counted of everything, a muscle, a piece of equipment or an exercise; training units are known otherwise.
_PLACES: Final = {"workouts": 0, "sets": 1, "reps": 2, "load": 3}
_NOTHING: Final = [0.0] * len(_PLACES)
_STEPS: Final = 1024  # sums of multiples of 1/1024 are exact in a float, whatever their order


class State(Enum):
    """How a challenge stands for a user. One of the day needs no joining."""

    OPEN = "OPEN"
    JOINED = "JOINED"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"


class Part(msgspec.Struct, frozen=True):
    """One exercise of a workout: sets, repetitions in all, kilograms lifted in all."""

    exercise: Exercise
    sets: int
    reps: int
    load: float


class Done(msgspec.Struct, frozen=True):
    """A workout as challenges see it; `units`: training units by the slug of the muscle."""

    parts: tuple[Part, ...]
    units: Mapping[str, float]
    total_units: float


class Slots(msgspec.Struct, frozen=True):
    """Challenges that a workout may move, and by how much: three DAILY ones for each of three dates from `first` on, on
    one of which it falls in any time zone, then the COMMUNITY ones that it helps."""

    first: date
    goals: tuple[Goal, ...]
    amounts: tuple[float, ...]


class Calendar(msgspec.Struct, frozen=True):
    """A user's today, and when the days and weeks around it begin, as instants."""

    today: date
    midnights: Mapping[date, datetime]

    @property
    def monday(self) -> date:
        return monday_of(self.today)


class Row(msgspec.Struct, frozen=True):
    """How far a user is with a challenge of a date or week, as it is stored."""

    starts_on: date
    challenge_id: UUID
    progress: float
    target: float
    reward_xp: int
    completed: bool


class Challenge(msgspec.Struct, frozen=True):
    """A challenge of one day or week, for one user. `kind` and `state` as GraphQL has them."""

    id: UUID
    slug: str
    name: str
    description: str
    kind: str
    target: float
    progress: float
    reward_xp: int
    starts_at: datetime
    ends_at: datetime
    state: str


def in_steps(figure: float) -> float:
    """The figure as it is added up, also in SQL."""
    return round(figure * _STEPS) / _STEPS


def monday_of(day: date) -> date:
    """The first day of the ISO week."""
    return day - timedelta(days=day.weekday())


def daily_places(user_id: UUID, day: date, pool: int) -> list[int]:
    """Three of the places 1 to `pool`, the same for a user and a date whoever asks; fewer where the pool has fewer.

    As the SQL function of this name: 28 bits of one hash each, among the places that are left.
    """
    if pool < 3:
        return list(range(1, pool + 1))
    text = f"musclemap.daily.1 {user_id} {(day - _EPOCH).days}"
    hashed = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    left = list(range(1, pool + 1))
    return [left.pop(int(hashed[at : at + 7], 16) % len(left)) for at in (0, 7, 14)]


def daily(pool: Sequence[Goal], user_id: UUID, day: date) -> list[Goal]:
    """The challenges of a user's date. `pool`: the DAILY ones by their ids."""
    return [pool[place - 1] for place in daily_places(user_id, day, len(pool))]


def weekly(pool: Sequence[Goal], monday: date) -> list[Goal]:
    """The challenges that everybody may join in a week: they take turns."""
    week = (monday - _FIRST_MONDAY).days // 7
    size = min(COMMUNITY_AT_ONCE, len(pool))
    return [pool[(week * size + n) % len(pool)] for n in range(size)]


def slots(known: Goals, user_id: UUID, performed_at: datetime, done: Done) -> Slots:
    """What a workout that was performed then may move, wherever the user's dates begin."""
    first = performed_at.astimezone(UTC).date() - timedelta(days=1)
    days = [goal for n in range(3) for goal in daily(known.daily, user_id, first + timedelta(days=n))]
    added = amounts([*days, *known.community], done)
    weeks = [(goal, amount) for goal, amount in zip(known.community, added[len(days) :], strict=True) if amount > 0]
    goals = (*days, *(goal for goal, _ in weeks))
    return Slots(first, goals, (*added[: len(days)], *(amount for _, amount in weeks)))


def amounts(goals: Iterable[Goal], done: Done) -> list[float]:
    """What a workout adds to each challenge, 0 where it does not help."""
    counts = _counts(done)
    units: dict[tuple[str, str], float] = {("muscle", slug): units for slug, units in done.units.items()}
    units["", ""] = done.total_units
    found = []
    for goal in goals:
        what = goal.part, goal.of
        amount = units.get(what, 0.0) if goal.metric == "units" else counts.get(what, _NOTHING)[_PLACES[goal.metric]]
        found.append(in_steps(amount) if amount else 0.0)
    return found


def _counts(done: Done) -> dict[tuple[str, str], list[float]]:
    """What was done, by what it is counted of: each metric at its place."""
    counts: dict[tuple[str, str], list[float]] = {}
    for part in done.parts:
        exercise = part.exercise
        of = [("", ""), ("exercise", exercise.slug)]
        if exercise.equipment is not None:
            of.append(("equipment", exercise.equipment.slug))
        of += [("muscle", one.muscle.slug) for one in exercise.muscles if one.percent >= PRIME_MOVER_MIN]
        for one in of:
            known = counts.get(one)
            if known is None:
                counts[one] = [1, part.sets, part.reps, part.load]
            else:
                known[1] += part.sets
                known[2] += part.reps
                known[3] += part.load
    return counts


def instance_id(goal: Goal, starts_on: date) -> UUID:
    """The id of a challenge in one day or week."""
    return uuid5(NAMESPACE, f"challenge:{goal.slug}:{starts_on.isoformat()}")


def to_join(pool: Sequence[Goal], monday: date, wanted: str) -> Goal:
    """The challenge of this week that has the id `wanted`. Raises NotFound."""
    for goal in weekly(pool, monday):
        if str(instance_id(goal, monday)) == wanted.lower():
            return goal
    raise NotFound


def board(pool: Sequence[Goal], user_id: UUID, calendar: Calendar, rows: Sequence[Row]) -> list[Challenge]:
    """What a user sees: the three of today, those of the week, and what they had begun of the day and week before.
    `pool`: all, the DAILY ones by their ids."""
    today, monday = calendar.today, calendar.monday
    known = {(row.starts_on, row.challenge_id): row for row in rows}
    days, weeks = [one for one in pool if one.kind == DAILY], [one for one in pool if one.kind == COMMUNITY]
    shown = [(goal, today) for goal in daily(days, user_id, today)] + [(goal, monday) for goal in weekly(weeks, monday)]
    shown += [
        (goal, on)
        for goals, on in ((days, today - timedelta(days=1)), (weeks, monday), (weeks, monday - timedelta(days=7)))
        for goal in goals
        if (on, goal.id) in known and (goal, on) not in shown and known[on, goal.id].progress + (goal.kind == COMMUNITY)
    ]
    return [_shown(goal, on, known.get((on, goal.id)), calendar) for goal, on in shown]


def _shown(goal: Goal, on: date, row: Row | None, calendar: Calendar) -> Challenge:
    ends_on = on + timedelta(days=1 if goal.kind == DAILY else 7)
    if row is not None and row.completed:
        state = State.COMPLETED
    elif ends_on <= calendar.today:
        state = State.EXPIRED
    else:
        state = State.JOINED if row is not None or goal.kind == DAILY else State.OPEN
    return Challenge(
        instance_id(goal, on),
        goal.slug,
        goal.name,
        goal.description,
        goal.kind,
        row.target if row else goal.target,
        row.progress if row else 0.0,
        row.reward_xp if row else goal.reward_xp,
        calendar.midnights[on],
        calendar.midnights[ends_on],
        state.value,
    )
