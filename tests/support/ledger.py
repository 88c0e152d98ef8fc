"""What tests of the ledger share: a database in use, users with the account that they need, workouts to log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import SecretStr

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
from tests.support.stores import Database as MadeDatabase

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
    """One process's view of the ledger, as the API has it; `everything` is the database as a superuser sees it, for
    tests to look and to meddle, `worker` a pool of the worker's role."""

    db: Database
    everything: Database
    worker: asyncpg.Pool
    reference: Reference
    settings: Settings
    wake: Wake

    def workouts_of(self, user_id: UUID) -> Workouts:
        """The feature, for a request of this user."""
        return Workouts(self.of(user_id), self.reference, self.wake, self.settings.workout_cost)

    def of(self, user_id: UUID) -> Database:
        """The database as this user sees it."""
        return self.db.of(user_id)

    async def user(self, *, credit: int = 100, trial_days: float = 0) -> UUID:
        """A new user; without a trial unless `trial_days` is positive."""
        user_id, account_id = uuid7(), uuid7()

        async def work(tx: Transaction) -> None:
            await open_account(tx, account_id, credit, NOW)
            trial_ends_at = NOW + timedelta(days=trial_days)
            await tx.execute(_ADD_USER, user_id, account_id, f"{user_id}@example.org", trial_ends_at, NOW)

        await self.of(user_id).write(work)
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
        return await self.workouts_of(user_id).log(user_id, raw or self.workout(), key, NOW)


@asynccontextmanager
async def ledger(database: MadeDatabase, *, url: str = "", **settings: Any) -> AsyncIterator[Ledger]:
    """The ledger of a migrated database, used as the API's role; by another `url` where a proxy is between."""
    made = Settings(
        database_url=url or database.url,
        worker_database_url=database.worker_url,
        redis_url="redis://127.0.0.1:1",
        **settings,
    )
    one = made.model_copy(update={"database_pool_min": 1})
    pools = [make_pool(made), *(make_pool(one, SecretStr(to)) for to in (database.superuser_url, database.worker_url))]
    for pool in pools:
        await connect(pool)
    mine, whole, worker = pools
    redis = connect_redis("redis://127.0.0.1:1")  # nobody there: a lost wake-up harms nothing
    try:
        reference = Reference()
        await reference.load(mine)
        yield Ledger(Database(mine), Database(whole), worker, reference, made, Wake(redis))
    finally:
        await redis.aclose()
        for pool in pools:
            pool.terminate()


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    """One connection."""
    made = await asyncpg.connect(url)
    try:
        yield made
    finally:
        await made.close()
