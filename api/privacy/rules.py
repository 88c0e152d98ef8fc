"""What an export has, by its sections. Pure.

`data` of a DataExport is `{"v": 1, "profile": {…}, "workouts": […], …}`, all of one instant: a key for each section,
in snake_case, with the fields below. Times are ISO 8601 with an offset, dates `YYYY-MM-DD`, weights kilograms. A field
or a section more is no new version; one that goes or changes its meaning is.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

VERSION: Final = 1


class Profile(msgspec.Struct, forbid_unknown_fields=True):
    """Who somebody is, and what they have set. `credits` is the balance, `account_id` the pseudonym."""

    id: UUID
    account_id: UUID
    name: str
    email: str
    roles: list[str]
    tier: str
    audience: str
    time_zone: str
    archetype_id: UUID | None
    xp: int
    level: int
    trial_ends_at: datetime | None
    subscribed_until: datetime | None
    credits: int
    created_at: datetime
    updated_at: datetime


class Exercise(msgspec.Struct, forbid_unknown_fields=True):
    """One exercise of a workout; `sets` as they were logged: `reps`, `weight_kg`."""

    exercise_id: UUID
    slug: str | None
    sets: list[dict[str, float | None]]


class Muscle(msgspec.Struct, forbid_unknown_fields=True):
    """What a workout gave one muscle."""

    muscle_id: UUID
    slug: str | None
    training_units: float


class Workout(msgspec.Struct, forbid_unknown_fields=True):
    """One workout, oldest first."""

    id: UUID
    performed_at: datetime
    local_date: date
    time_zone: str
    note: str | None
    visibility: list[str]
    total_tu: float
    charged: int
    idempotency_key: str
    created_at: datetime
    exercises: list[Exercise]
    muscles: list[Muscle]


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One change of the balance."""

    transaction_id: UUID
    amount: int
    balance_after: int
    reason: str
    workout_id: UUID | None
    created_at: datetime


class Event(msgspec.Struct, forbid_unknown_fields=True):
    """One event of the dashboard, as it was told; of a workout the id: the workout is above."""

    id: UUID
    type: str
    created_at: datetime
    actor: Any
    data: dict[str, Any]


class Session(msgspec.Struct, forbid_unknown_fields=True):
    """One sign-in: its times."""

    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class Relation(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody whom one follows, is followed by, or blocks: by id; what they are called is theirs."""

    user_id: UUID
    since: datetime
    state: str | None = None


class Progress(msgspec.Struct, forbid_unknown_fields=True):
    """What was reached."""

    xp: int
    level: int
    workouts: int
    volume: float
    streak_longest: int
    streak_days: int
    streak_first: date | None
    streak_last: date | None
    exercises: int
    heaviest_kg: float
    challenges: int
    joined_through: date | None
    updated_at: datetime


class TrainingDay(msgspec.Struct, forbid_unknown_fields=True):
    """A local date with a workout."""

    local_date: date
    workouts: int
    xp: int
    volume: float


class TimeZone(msgspec.Struct, forbid_unknown_fields=True):
    """The zone in which dates fell, from a time on."""

    since: datetime
    time_zone: str


class Streak(msgspec.Struct, forbid_unknown_fields=True):
    """A run of dates that has ended; the newest is in `progress`."""

    first: date
    last: date
    days: int


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """The most weight of an exercise, and the workout that had it first."""

    exercise_id: UUID
    slug: str | None
    weight_kg: float
    previous_kg: float | None
    performed_at: datetime
    workout_id: UUID


class Milestone(msgspec.Struct, forbid_unknown_fields=True):
    """One milestone; `exercise_id` is of a record, else zeros."""

    kind: str
    value: float
    exercise_id: UUID
    at: datetime


class Challenge(msgspec.Struct, forbid_unknown_fields=True):
    """How far a challenge went."""

    challenge_id: UUID
    starts_on: date
    progress: float
    target: float
    reward_xp: int
    joined_at: datetime | None
    completed_at: datetime | None


class Achievement(msgspec.Struct, forbid_unknown_fields=True):
    """One that was earned."""

    achievement_id: UUID
    earned_at: datetime


class Rival(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody with whom one compares oneself, and what both gained since."""

    user_id: UUID
    since: datetime
    my_score: int
    their_score: int


class HighFive(msgspec.Struct, forbid_unknown_fields=True):
    """One that was sent, by the id under which the event was read."""

    event_id: UUID
    sent_at: datetime


class Purchase(msgspec.Struct, forbid_unknown_fields=True):
    """Credits that were bought, by the payment provider's ids."""

    session: str
    credits: int
    payment: str | None
    created: datetime


class Subscription(msgspec.Struct, forbid_unknown_fields=True):
    """One subscription, as the payment provider last told of it."""

    id: str
    customer: str | None
    status: str | None
    until: datetime | None
    paid_until: datetime | None
    created: datetime | None


class Export(msgspec.Struct, forbid_unknown_fields=True):
    """`data`, whole."""

    v: int
    profile: Profile
    workouts: list[Workout]
    ledger: list[Entry]
    events: list[Event]
    sessions: list[Session]
    following: list[Relation]
    followers: list[Relation]
    blocks: list[Relation]
    progress: list[Progress]
    training_days: list[TrainingDay]
    time_zones: list[TimeZone]
    streaks: list[Streak]
    records: list[Record]
    milestones: list[Milestone]
    challenges: list[Challenge]
    achievements: list[Achievement]
    rivals: list[Rival]
    high_fives: list[HighFive]
    purchases: list[Purchase]
    subscriptions: list[Subscription]


# Those that are lists, in their order.
SECTIONS: Final = tuple(name for name in Export.__struct_fields__ if name not in ("v", "profile"))


def written(profile: str, sections: Mapping[str, Iterable[str]]) -> bytes:
    """`data`, of the JSON of its rows."""
    parts = [f'{{"v":{VERSION},"profile":{profile}']
    parts += [f',"{name}":[{",".join(rows)}]' for name, rows in sections.items()]
    return "".join([*parts, "}"]).encode()
