"""Workouts in PostgreSQL: rows to values and back; decides nothing."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson
import structlog

from api.reference.service import Reference
from api.workouts.rules import (
    Draft,
    MuscleActivation,
    Set,
    Workout,
    WorkoutExercise,
    by_units,
    event_data,
    input_hash,
)
from config.db.database import Database
from config.db.queries import load_queries

log = structlog.get_logger()

_QUERIES: Final = load_queries(__file__)
_LOG_WORKOUT: Final = _QUERIES["log_workout"]
_WORKOUT: Final = _QUERIES["workout"]
_MY_WORKOUTS: Final = _QUERIES["my_workouts"]

# Whose violation means that the same request won elsewhere meanwhile.
_TWINS: Final = frozenset({"workouts_key", "workouts_pkey"})


class Stored(msgspec.Struct, frozen=True):
    """What log_workout says; `outcome` as its comment lists them, the rest is null where there is nothing to say."""

    outcome: str
    workout_id: UUID | None
    charged: int | None
    credits: int | None
    version: int | None


async def log_workout(
    db: Database,
    *,
    user_id: UUID,
    key: str,
    draft: Draft,
    workout: Workout,
    transaction_id: UUID,
    event_id: UUID,
    cost: int,
    now: datetime,
) -> Stored:
    """Logs `workout`, which was made of `draft`, in one transaction. Raises RetryLater."""
    row = await db.call(
        _LOG_WORKOUT,
        user_id,
        key,
        input_hash(draft),
        now,
        cost,
        workout.id,
        transaction_id,
        event_id,
        workout.performed_at,
        workout.note,
        draft.visibility,
        workout.total_tu,
        [one.exercise.id for one in workout.exercises],
        [
            orjson.dumps([{"reps": done.reps, "weight_kg": done.weight_kg} for done in one.sets]).decode()
            for one in workout.exercises
        ],
        [one.muscle.id for one in workout.muscles],
        [one.training_units for one in workout.muscles],
        orjson.dumps(event_data(workout)).decode(),
        lane=user_id,
        twins=_TWINS,
    )
    return Stored(**row)


async def workout(db: Database, reference: Reference, user_id: UUID, workout_id: UUID) -> Workout | None:
    """One workout of a user, or None: somebody else's is none."""
    row = await db.fetchrow(_WORKOUT, user_id, workout_id)
    return None if row is None else _workout(row, reference)


async def my_workouts(
    db: Database, reference: Reference, user_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> list[Workout]:
    """At most `limit` workouts of a user, the last performed first."""
    performed_at, workout_id = before or (None, None)
    rows = await db.fetch(_MY_WORKOUTS, user_id, performed_at, workout_id, limit)
    return [_workout(row, reference) for row in rows]


def _workout(row: Any, reference: Reference) -> Workout:
    exercises, muscles = [], []
    for exercise_id, sets in orjson.loads(row["exercises"] or "[]"):
        exercise = reference.exercise(UUID(exercise_id))
        if exercise is None:  # newer than what this process has loaded
            log.warning("exercise_unknown_here", exercise=exercise_id)
        else:
            done = tuple(Set(one["reps"], one["weight_kg"]) for one in sets)
            exercises.append(WorkoutExercise(exercise, done))
    for muscle_id, units in orjson.loads(row["muscles"] or "[]"):
        muscle = reference.muscle(UUID(muscle_id))
        if muscle is None:
            log.warning("muscle_unknown_here", muscle=muscle_id)
        else:
            muscles.append(MuscleActivation(muscle, units))
    return Workout(row["id"], row["performed_at"], row["note"], row["total_tu"], by_units(muscles), tuple(exercises))
