"""The use cases of workouts: log one, show one, page through mine."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from api.credits.rules import Balance
from api.outbox import Wake
from api.pages import Page, bad_cursor, decode_cursor, make_page, page_size
from api.reference.service import Reference
from api.workouts import store
from api.workouts.rules import PERFORMED_AT_MIN, Workout, check_input, check_key, total_units, training_units
from config.db.database import Database
from config.errors import IdempotencyMismatch, InsufficientCredits, Internal, NotFound, Unauthenticated
from config.ids import uuid7
from config.settings import Settings


class LoggedWorkout(msgspec.Struct, frozen=True):
    """The answer of logWorkout. `existing`: the key was used before, and this is the workout of then."""

    workout: Workout
    charged: int
    existing: bool
    balance: Balance


async def log_workout(
    db: Database,
    reference: Reference,
    settings: Settings,
    wake: Wake,
    *,
    user_id: UUID,
    raw: Mapping[str, Any],
    key: object,
    now: datetime,
) -> LoggedWorkout:
    """Logs the workout that `raw` (GraphQL's LogWorkoutInput) describes: stored, charged and announced in one durable
    transaction, once per key.

    Raises BadInput, InsufficientCredits, IdempotencyMismatch, Unauthenticated (the user is gone), RetryLater.
    """
    checked_key = check_key(key)
    draft = check_input(raw, reference.exercise, now)
    muscles = training_units(draft.exercises)
    workout = Workout(uuid7(), draft.performed_at, draft.note, total_units(muscles), muscles, draft.exercises)
    stored = await store.log_workout(
        db,
        user_id=user_id,
        key=checked_key,
        draft=draft,
        workout=workout,
        transaction_id=uuid7(),
        event_id=uuid7(),
        cost=settings.workout_cost,
        now=now,
    )
    match stored:
        case store.Stored("logged", _, int(charged), int(credits), int(version)):
            wake.soon()
            return LoggedWorkout(workout, charged, False, Balance(credits, version))
        case store.Stored("replayed", UUID() as workout_id, int(charged), int(credits), int(version)):
            existing = await workout_of(db, reference, user_id, workout_id)
            return LoggedWorkout(existing, charged, True, Balance(credits, version))
        case store.Stored("mismatch"):
            raise IdempotencyMismatch
        case store.Stored("insufficient"):
            raise InsufficientCredits
        case store.Stored("unknown_user"):
            raise Unauthenticated
        case _:
            raise Internal


async def workout_of(db: Database, reference: Reference, user_id: UUID, workout_id: UUID) -> Workout:
    """One workout of its owner. Raises NotFound, also for somebody else's."""
    found = await store.workout(db, reference, user_id, workout_id)
    if found is None:
        raise NotFound
    return found


async def my_workouts(
    db: Database, reference: Reference, user_id: UUID, first: int | None = None, after: str | None = None
) -> Page[Workout]:
    """A page of a user's workouts, the last performed first. Raises BadInput."""
    size = page_size(first)
    before = None if after is None else _place(after)
    rows = await store.my_workouts(db, reference, user_id, before, size + 1)
    return make_page(rows, size, lambda one: (one.performed_at.isoformat(), one.id))


def _place(cursor: str) -> tuple[datetime, UUID]:
    performed_at, workout_id = decode_cursor(cursor, 2)
    try:
        at, workout = datetime.fromisoformat(performed_at), UUID(workout_id)
        # Naive, or of the calendar's first and last days: no instant that could be compared, or ever was given out.
        if at.tzinfo is None or at.astimezone(UTC) < PERFORMED_AT_MIN:
            raise bad_cursor()
    except (ValueError, OverflowError):
        raise bad_cursor() from None
    return at, workout
