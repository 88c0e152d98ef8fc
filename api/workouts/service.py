"""The use cases of workouts: log one, show one, page through mine."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from api.credits.rules import Balance
from api.idempotency import check_key
from api.outbox import Wake
from api.pages import Page, make_page, page_size
from api.reference.rules import Exercise, Muscle
from api.reference.service import Reference
from api.workouts import store
from api.workouts.rules import (
    StoredWorkout,
    Workout,
    check_input,
    event_data,
    input_hash,
    place_in,
    total_units,
    training_units,
    workout_of,
)
from config.db.database import Database
from config.errors import IdempotencyMismatch, InsufficientCredits, Internal, NotFound, Unauthenticated
from config.ids import uuid7

log = structlog.get_logger()


class LoggedWorkout(msgspec.Struct, frozen=True):
    """The answer of logWorkout. `existing`: the key was used before, and this is the workout of then."""

    workout: Workout
    charged: int
    existing: bool
    balance: Balance


class Workouts:
    """Use cases over one database; `price`: credits for a workout of whoever must pay.

    All raise RetryLater until the reference data is loaded: an exercise must not be called unknown before.
    """

    def __init__(self, db: Database, reference: Reference, wake: Wake, price: int) -> None:
        self._db = db
        self._reference = reference
        self._wake = wake
        self._price = price

    async def log(self, user_id: UUID, raw: Mapping[str, Any], key: object, now: datetime) -> LoggedWorkout:
        """Logs the workout that `raw` (GraphQL's LogWorkoutInput) describes: stored, charged and announced in one
        durable transaction, once per key.

        Raises BadInput, InsufficientCredits, IdempotencyMismatch, Unauthenticated (the user is gone), RetryLater.
        """
        reference = self._reference.ready()
        checked_key = check_key(key)
        draft = check_input(raw, reference.exercise, now)
        muscles = training_units(draft.exercises)
        workout = Workout(uuid7(), draft.performed_at, draft.note, total_units(muscles), muscles, draft.exercises)
        stored = await store.log_workout(
            self._db,
            user_id=user_id,
            key=checked_key,
            input_hash=input_hash(draft),
            workout=workout,
            visibility=draft.visibility,
            event_data=event_data(workout),
            transaction_id=uuid7(),
            event_id=uuid7(),
            price=self._price,
            now=now,
        )
        match stored:
            case store.Stored("logged", _, int(charged), int(credits), int(version)):
                self._wake.soon()
                return LoggedWorkout(workout, charged, False, Balance(credits, version))
            case store.Stored("replayed", UUID() as workout_id, int(charged), int(credits), int(version)):
                existing = await self.workout(user_id, workout_id)
                return LoggedWorkout(existing, charged, True, Balance(credits, version))
            case store.Stored("mismatch"):
                raise IdempotencyMismatch
            case store.Stored("insufficient"):
                raise InsufficientCredits
            case store.Stored("unknown_user"):
                raise Unauthenticated
            case _:
                raise Internal

    async def workout(self, user_id: UUID, workout_id: UUID) -> Workout:
        """One workout of its owner. Raises NotFound, also for somebody else's."""
        self._reference.ready()
        found = await store.workout(self._db, user_id, workout_id)
        if found is None:
            raise NotFound
        return self._shown(found)

    async def mine(self, user_id: UUID, first: int | None = None, after: str | None = None) -> Page[Workout]:
        """A page of a user's workouts, the last performed first. Raises BadInput."""
        self._reference.ready()
        size = page_size(first)
        before = None if after is None else place_in(after)
        rows = await store.my_workouts(self._db, user_id, before, size + 1)
        workouts = [self._shown(row) for row in rows]
        return make_page(workouts, size, lambda one: (one.performed_at.isoformat(), one.id))

    def _shown(self, stored: StoredWorkout) -> Workout:
        return workout_of(stored, self._exercise, self._muscle)

    def _exercise(self, wanted: UUID) -> Exercise | None:
        found = self._reference.exercise(wanted)
        if found is None:  # newer than what this process has loaded
            log.warning("exercise_unknown_here", exercise=str(wanted))
        return found

    def _muscle(self, wanted: UUID) -> Muscle | None:
        found = self._reference.muscle(wanted)
        if found is None:
            log.warning("muscle_unknown_here", muscle=str(wanted))
        return found
