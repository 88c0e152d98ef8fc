"""Whether the API can serve: its stores, its migrations, what it must have in memory."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import asyncpg

from config import redis
from config.db import postgres
from config.db.queries import load_queries
from config.db.replica import Replica
from config.ready import answer
from config.redis import RedisClient

_LOOK_S: Final = 1.0
_QUERIES: Final = load_queries(__file__, "readiness.sql")
_NEWEST_MIGRATION: Final = _QUERIES["newest_migration"]


class Readiness:
    """Whether this process can serve. Redis away is no reason against it: workouts and sign-ins go on without."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        redis: RedisClient,
        migrations: int,
        loaded: Mapping[str, Callable[[], bool]],
        replica: Replica | None = None,
    ) -> None:
        """`migrations`: how many this release has. `loaded`: what this process must have in memory, by name."""
        self._pool = pool
        self._redis = redis
        self._loaded = loaded
        self._replica = replica
        self._migrations = migrations
        self.stopping = False

    async def look(self) -> tuple[int, dict[str, Any]]:
        """The status and the body."""
        reasons: dict[str, str] = {}
        if self.stopping:
            reasons["process"] = "stopping"
        in_postgres, redis_fault = await asyncio.gather(self._postgres(), redis.fault(self._redis))
        reasons.update(in_postgres)
        reasons |= {name: "not loaded yet" for name, is_loaded in self._loaded.items() if not is_loaded()}
        degraded = {"redis": redis_fault} if redis_fault else {}
        if self._replica is not None and self._replica.fault:
            degraded["replica"] = self._replica.fault
        return answer("api", reasons, degraded)

    async def _postgres(self) -> dict[str, str]:
        fault, newest = await asyncio.gather(postgres.fault(self._pool), self._newest_migration())
        reasons = {"postgres": fault} if fault else {}
        if newest is not None and newest < self._migrations:
            reasons["migrations"] = f"{newest} of {self._migrations} applied: run `make migrate`"
        return reasons

    async def _newest_migration(self) -> int | None:
        """Its number, 0 where there is none, None where PostgreSQL does not say."""
        try:
            async with asyncio.timeout(_LOOK_S), self._pool.acquire() as connection:
                return await connection.fetchval(_NEWEST_MIGRATION.sql) or 0
        except asyncpg.UndefinedTableError:
            return 0
        except postgres.ERRORS:
            return None
