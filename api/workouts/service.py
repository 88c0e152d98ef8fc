"""The use cases of workouts: log one, show one, page through mine."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import orjson
import structlog

from api.challenges.rules import slots
from api.credits.rules import Balance
from api.idempotency import check_key
from api.outbox import Wake
from api.pages import Page, make_page, page_size
from api.progress.rules import Earned, milestone_label
from api.reference.rules import Exercise, Muscle
from api.reference.service import Reference
from api.workouts import store
from api.workouts.rules import (
    StoredWorkout,
    Workout,
    as_done,
    check_input,
    check_sync,
    event_data,
    input_hash,
    place_in,
    total_units,
    training_units,
    workout_of,
)
from config.db.database import Database
from config.errors import (
    ApiError,
    IdempotencyMismatch,
    InsufficientCredits,
    Internal,
    NotFound,
    RetryLater,
    Unauthenticated,
)
from config.ids import uuid7
from config.limits import SYNC_S

log = structlog.get_logger()


class LoggedWorkout(msgspec.Struct, frozen=True):
    """The answer of logWorkout. `existing`: the key was used before, and this is the workout of then."""

    workout: Workout
    charged: int
    existing: bool
    balance: Balance
    earned: Earned


class SyncError(msgspec.Struct, frozen=True):
    """An error as a value: why one workout of many was refused."""

    code: str
    message: str
    status_code: int


class SyncedWorkout(msgspec.Struct, frozen=True):
    """The outcome of one input of syncWorkouts. `status` as GraphQL's SyncStatus."""

    idempotency_key: str
    status: str
    workout: Workout | None
    charged: int
    error: SyncError | None


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
            slots=slots(reference.goals, user_id, workout.performed_at, as_done(workout)),
            marks=(reference.goals.marks("workouts"), reference.goals.marks("volume")),
            now=now,
        )
        match stored:
            case store.Stored("logged", _, int(charged), int(credits), int(version)):
                self._wake.soon()
                return LoggedWorkout(workout, charged, False, Balance(credits, version), _earned(stored))
            case store.Stored("replayed", UUID() as workout_id, int(charged), int(credits), int(version)):
                existing = await self.workout(user_id, workout_id)
                return LoggedWorkout(existing, charged, True, Balance(credits, version), _earned(stored))
            case store.Stored("mismatch"):
                raise IdempotencyMismatch
            case store.Stored("insufficient"):
                raise InsufficientCredits
            case store.Stored("unknown_user"):
                raise Unauthenticated
            case _:
                raise Internal

    async def sync(self, user_id: UUID, inputs: Sequence[Mapping[str, Any]], now: datetime) -> list[SyncedWorkout]:
        """Logs many, each on its own, in the order in which they were performed: what they come to does not depend on
        the order in which they are given, in which they are answered. One that is refused stops no other.

        Raises BadInput for too many or none, Unauthenticated (the user is gone), RetryLater (nothing is loaded yet).
        """
        self._reference.ready()
        outcomes: dict[int, SyncedWorkout] = {}
        end = time.monotonic() + SYNC_S
        for place in check_sync(inputs):
            key = inputs[place]["idempotencyKey"]
            try:
                if time.monotonic() > end:
                    raise RetryLater
                done = await self.log(user_id, inputs[place]["workout"], key, now)
            except Unauthenticated:
                raise
            except ApiError as refusal:
                error = SyncError(refusal.code, refusal.message, refusal.status)
                outcomes[place] = SyncedWorkout(key, "REFUSED", None, 0, error)
            else:
                status = "EXISTING" if done.existing else "CREATED"
                outcomes[place] = SyncedWorkout(key, status, done.workout, done.charged, None)
            await asyncio.sleep(0)  # a long list of refusals, too, gives way
        return [outcomes[place] for place in range(len(inputs))]

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


def _earned(stored: store.Stored) -> Earned:
    """What this call brought: nothing, where it did nothing."""
    milestones = tuple(milestone_label(orjson.loads(one)) for one in stored.milestones or ())
    return Earned(stored.xp or 0, stored.level or 1, bool(stored.leveled_up), milestones)
