"""Brings ended sessions to the gateways: at once, and again for whatever Redis missed or lost.

PostgreSQL knows who was signed out. Redis carries it: a message to the sockets that are open now, and a set for
gateways that missed the message or start later. The set says itself up to when it is whole (its member `through`), so
a Redis that was away, wiped, or replaced by an older copy tells what it lacks, however many APIs look.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

import structlog

from api.accounts import store
from api.db import Database
from api.errors import RetryLater
from config.limits import (
    REVOCATION_LATE_S,
    REVOCATION_TELL_S,
    REVOCATIONS_EVERY_S,
    REVOCATIONS_PER_CALL,
    SOCKET_LIFE_S_MAX,
)
from config.metrics import FAILURES
from config.redis import AWAY, RedisClient, load_script
from rt.wire.bus import CONTROL_CHANNEL, REVOKED_KEY, REVOKED_THROUGH

log = structlog.get_logger()

_script: Final = load_script(__file__, "revoke")


class Revocations:
    """See the module."""

    def __init__(self, db: Database, redis: RedisClient, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._redis = redis
        self._clock = clock

    async def tell(self, session_id: UUID) -> None:
        """Tells every gateway that a session has ended, which is committed. Never fails: `run` brings the rest."""
        try:
            async with asyncio.timeout(REVOCATION_TELL_S):
                await self._add([session_id], self._clock())
        except AWAY as error:
            FAILURES.labels("revoke").inc()
            log.warning("revocation_waits_for_redis", session=str(session_id), error=type(error).__name__)

    async def run(self) -> None:
        """Compares Redis with PostgreSQL every REVOCATIONS_EVERY_S for as long as the process lives."""
        while True:
            try:
                await self.bring()
            except (*AWAY, RetryLater) as error:
                FAILURES.labels("revocations").inc()
                log.debug("revocations_not_compared", error=type(error).__name__)
            await asyncio.sleep(REVOCATIONS_EVERY_S)

    async def bring(self) -> int:
        """Adds what this Redis may lack; how many it lacked. Raises RetryLater, RedisError, OSError, TimeoutError."""
        now = self._clock()
        mark = f"begun:{uuid4()}"  # lost with whatever this call adds, if Redis is
        await self._redis.zadd(REVOKED_KEY, {mark: now})
        through = float(await self._redis.zscore(REVOKED_KEY, REVOKED_THROUGH) or 0.0)
        # A session that is being ended is committed a while after the time that it carries.
        since = max(min(through, now) - REVOCATION_LATE_S, now - SOCKET_LIFE_S_MAX)
        ended = await store.sessions_ended_since(self._db, datetime.fromtimestamp(since, UTC))
        added = 0
        for at in range(0, len(ended), REVOCATIONS_PER_CALL):
            added += await self._add(ended[at : at + REVOCATIONS_PER_CALL], now)
        if await self._add((), now, mark) < 0:
            log.info("redis_lost_revocations")
        elif added:
            log.info("revocations_brought", sessions=added)
        return added

    async def _add(self, sessions: Sequence[UUID], now: float, mark: str = "") -> int:
        args = [repr(now), repr(now - SOCKET_LIFE_S_MAX), CONTROL_CHANNEL, mark, repr(now)]
        return int(await _script(self._redis, [REVOKED_KEY], [*args, *(str(session) for session in sessions)]))
