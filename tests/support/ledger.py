"""What tests of the ledger share: a database in use, users with the account that they need, workouts to log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from api.credits.service import open_account
from api.outbox import Wake
from api.reference.service import Reference
from api.workouts.service import LoggedWorkout, Workouts
from config.db.database import Database, Transaction
from config.db.postgres import connect, make_pool
from config.db.queries import Query
from config.ids import uuid7
from config.redis import connect as connect_redis
from config.settings import Settings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def query(sql: str) -> Query:
    """A statement that only a test runs."""
    return Query("test", sql, lambda _: None)


_ADD_USER = query(
    "INSERT INTO users (id, account_id, email, name, password_hash, trial_ends_at, created_at, updated_at)"
    " VALUES ($1, $2, $3, 'Ann', '', $4, $5, $5)"
)


@dataclass(frozen=True)
class Ledger:
    """One process's view of the ledger."""

    db: Database
    reference: Reference
    settings: Settings
    wake: Wake

    @property
    def workouts(self) -> Workouts:
        return Workouts(self.db, self.reference, self.wake, self.settings.workout_cost)

    async def user(self, *, credit: int = 100, trial_days: float = 0) -> UUID:
        """A new user; without a trial unless `trial_days` is positive."""
        user_id, account_id = uuid7(), uuid7()

        async def work(tx: Transaction) -> None:
            await open_account(tx, account_id, credit, NOW)
            trial_ends_at = NOW + timedelta(days=trial_days)
            await tx.execute(_ADD_USER, user_id, account_id, f"{user_id}@example.org", trial_ends_at, NOW)

        await self.db.write(work)
        return user_id

    def workout(self, reps: int = 10, **changes: Any) -> dict[str, Any]:
        """The input of a workout; another `reps` is another input."""
        exercise = self.reference.exercises()[0]
        sets = [{"reps": reps, "weightKg": 60.5}, {"reps": reps}]
        return {
            "performedAt": NOW - timedelta(hours=1),
            "exercises": [{"exerciseId": str(exercise.id), "sets": sets}],
        } | changes

    async def log(self, user_id: UUID, key: str, raw: dict[str, Any] | None = None) -> LoggedWorkout:
        """Logs a workout at NOW."""
        return await self.workouts.log(user_id, raw or self.workout(), key, NOW)


@asynccontextmanager
async def ledger(url: str, **settings: Any) -> AsyncIterator[Ledger]:
    """The ledger of a migrated database, used as the application's role."""
    made = Settings(database_url=url, redis_url="redis://127.0.0.1:1", **settings)
    pool = make_pool(made)
    await connect(pool)
    redis = connect_redis("redis://127.0.0.1:1")  # nobody there: a lost wake-up harms nothing
    try:
        reference = Reference()
        await reference.load(pool)
        yield Ledger(Database(pool), reference, made, Wake(redis))
    finally:
        await redis.aclose()
        pool.terminate()


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    """One connection."""
    made = await asyncpg.connect(url)
    try:
        yield made
    finally:
        await made.close()
