"""The use cases of challenges: show them, join one."""

import math
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from api.challenges import store
from api.challenges.rules import Challenge, Done, Part, amounts, board, instance_id, monday_of, to_join
from api.outbox import Wake
from api.reference.service import Reference
from config.db.database import Database, Transaction
from config.errors import NotFound, Unauthenticated
from config.ids import uuid7
from config.limits import CHALLENGE_WORKOUTS_MAX


class Challenges:
    """Use cases over one database. All raise RetryLater until the reference data is loaded. `shown`: whether a user has
    challenges at all (the flag `challenges`); workouts count towards them meanwhile."""

    def __init__(self, db: Database, reference: Reference, wake: Wake, shown: Callable[[UUID], bool]) -> None:
        self._db = db
        self._reference = reference
        self._wake = wake
        self._shown = shown

    async def mine(self, user_id: UUID, now: datetime) -> list[Challenge]:
        """The user's challenges. Raises Unauthenticated where the account is gone."""
        pool = self._reference.ready().goals.challenges
        if not self._shown(user_id):
            return []
        found = await store.board(self._db, user_id, now)
        if found is None:
            raise Unauthenticated
        calendar, rows = found
        return board(pool, user_id, calendar, rows)

    async def join(self, user_id: UUID, wanted: str, now: datetime) -> Challenge:
        """Takes part in a challenge of this week; what was done in it counts. Again: the same. Raises NotFound."""
        pool = self._reference.ready().goals.community
        if not self._shown(user_id):
            raise NotFound

        async def work(tx: Transaction) -> UUID:
            today = await store.lock_user(tx, user_id, now)
            if today is None:
                raise Unauthenticated
            monday = monday_of(today)
            goal = to_join(pool, monday, wanted)
            workouts = await store.workouts_of_week(tx, user_id, monday, CHALLENGE_WORKOUTS_MAX)
            progress = math.fsum(amounts([goal], self._done(one))[0] for one in workouts)
            await store.join(tx, user_id, now, goal.id, monday, progress, goal.target, goal.reward_xp, uuid7())
            return instance_id(goal, monday)

        async def settle(_: Transaction) -> UUID | None:
            return None  # done or not, it may run again

        joined = await self._db.write(work, lane=user_id, settle=settle)
        self._wake.soon()
        for one in await self.mine(user_id, now):
            if one.id == joined:
                return one
        raise NotFound

    def _done(self, stored: store.StoredParts) -> Done:
        parts = [
            Part(exercise, len(sets), sum(reps for reps, _ in sets), sum(reps * (kg or 0.0) for reps, kg in sets))
            for wanted, sets in stored.exercises
            if (exercise := self._reference.exercise(wanted)) is not None
        ]
        units = {
            muscle.slug: amount
            for wanted, amount in stored.muscles
            if (muscle := self._reference.muscle(wanted)) is not None
        }
        return Done(tuple(parts), units, stored.total_tu)
