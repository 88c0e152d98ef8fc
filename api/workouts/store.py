"""Workouts in PostgreSQL: rows to values and back; decides nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson

from api.challenges.rules import Slots
from api.workouts.rules import Set, StoredWorkout, Workout, heaviest
from config.db.database import Database
from config.db.queries import load_queries

_QUERIES: Final = load_queries(__file__)
_LOG_WORKOUT: Final = _QUERIES["log_workout"]
_WORKOUT: Final = _QUERIES["workout"]
_MY_WORKOUTS: Final = _QUERIES["my_workouts"]

_encode: Final = msgspec.json.Encoder().encode

# Whose violation means that the same request won elsewhere meanwhile.
_TWINS: Final = frozenset({"workouts_key", "workouts_pkey"})


class Stored(msgspec.Struct, frozen=True):
    """What log_workout says; `outcome` as its comment lists them, the rest is null where there is nothing to say."""

    outcome: str
    workout_id: UUID | None
    charged: int | None
    credits: int | None
    version: int | None
    xp: int | None
    level: int | None
    leveled_up: bool | None
    milestones: Sequence[str] | None  # data of their events, JSON


async def log_workout(
    db: Database,
    *,
    user_id: UUID,
    key: str,
    input_hash: bytes,
    workout: Workout,
    visibility: Sequence[str],
    event_data: Mapping[str, Any],
    transaction_id: UUID,
    event_id: UUID,
    price: int,
    slots: Slots,
    marks: tuple[Sequence[float], Sequence[float]],
    now: datetime,
) -> Stored:
    """Logs `workout` in one transaction, and its event for those of `visibility`; it moves the challenges of
    `slots`. `marks`: thresholds of achievements for workouts and for volume. Raises RetryLater."""
    weights = heaviest(workout.exercises)
    row = await db.call(
        _LOG_WORKOUT,
        user_id,
        key,
        input_hash,
        now,
        price,
        workout.id,
        transaction_id,
        event_id,
        workout.performed_at,
        workout.note,
        visibility,
        workout.total_tu,
        [one.exercise.id for one in workout.exercises],
        [_encode(one.sets).decode() for one in workout.exercises],
        [one.muscle.id for one in workout.muscles],
        [one.training_units for one in workout.muscles],
        orjson.dumps(event_data).decode(),
        list(weights),
        list(weights.values()),
        slots.first,
        [one.id for one in slots.goals],
        slots.amounts,
        [one.target for one in slots.goals],
        [one.reward_xp for one in slots.goals],
        *marks,
        lane=user_id,
        twins=_TWINS,
    )
    return Stored(**row)


async def workout(db: Database, user_id: UUID, workout_id: UUID) -> StoredWorkout | None:
    """One workout of a user, or None: somebody else's is none."""
    row = await db.fetchrow(_WORKOUT, user_id, workout_id)
    return None if row is None else _workout(row)


async def my_workouts(
    db: Database, user_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> list[StoredWorkout]:
    """At most `limit` workouts of a user, the last performed first."""
    performed_at, workout_id = before or (None, None)
    rows = await db.fetch(_MY_WORKOUTS, user_id, performed_at, workout_id, limit)
    return [_workout(row) for row in rows]


def _workout(row: Any) -> StoredWorkout:
    exercises = [
        (UUID(exercise), tuple(Set(one["reps"], one["weight_kg"]) for one in sets))
        for exercise, sets in orjson.loads(row["exercises"] or "[]")
    ]
    muscles = [(UUID(muscle), units) for muscle, units in orjson.loads(row["muscles"] or "[]")]
    return StoredWorkout(row["id"], row["performed_at"], row["note"], row["total_tu"], muscles, exercises)
