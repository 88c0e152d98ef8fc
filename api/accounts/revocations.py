"""Brings ended sessions to the gateways: at once, and again for whatever Redis missed or lost. Refuses them here too.

PostgreSQL knows who was signed out. Redis carries it: a message to the sockets that are open now, and a set for
gateways that missed the message or start later. The set says itself up to when it is whole (its member `through`), so
a Redis that was away, wiped, or replaced by an older copy tells what it lacks, however many APIs look.
This process judges by the same rule over what PostgreSQL, the set and the bus say: whichever it hears first.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

import structlog

from api.accounts import store
from config.db.database import Database
from config.db.postgres import ERRORS
from config.errors import RetryLater
from config.limits import REVOCATION_LATE_S, REVOCATIONS_EVERY_S, REVOCATIONS_KEPT_S, REVOCATIONS_MAX
from config.metrics import FAILURES
from config.redis import AWAY, RedisClient, load_script
from rt.auth.revoked import Revocation, Revoked, of_member, of_message
from rt.auth.tokens import Access
from rt.wire.bus import CONTROL_CHANNEL, REVOKED_KEY, REVOKED_THROUGH

log = structlog.get_logger()

REVOCATION_TELL_S: Final = 1  # a sign-out waits for Redis this long; then the comparison brings it
REVOCATIONS_PER_CALL: Final = 500  # sessions in one script call and one message: under 1 ms of Redis

_script: Final = load_script(__file__, "revoke")


class Revocations:
    """See the module."""

    def __init__(self, db: Database, redis: RedisClient, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._redis = redis
        self._clock = clock
        self._revoked = Revoked()
        self._known = False  # whether PostgreSQL or a whole set was read
        self._ended_until = 0.0  # PostgreSQL was read up to this time, ...
        self._read_until = 0.0  # ... and the set up to this score

    def covers(self, access: Access) -> bool:
        """Whether the access was ended. Raises RetryLater until it is known what was."""
        if not self._known:
            raise RetryLater
        return self._revoked.covers(access)

    async def tell(self, sessions: Sequence[UUID]) -> None:
        """Tells every gateway that sessions have ended, which is committed. Never fails: `run` brings the rest."""
        now = self._clock()
        self._remember(sessions, now)
        try:
            async with asyncio.timeout(REVOCATION_TELL_S):
                await self._add(sessions, now)
        except AWAY as error:
            FAILURES.labels("revoke").inc()
            log.warning("revocation_waits_for_redis", sessions=len(sessions), error=type(error).__name__)

    async def run(self) -> None:
        """Compares Redis with PostgreSQL every REVOCATIONS_EVERY_S for as long as the process lives."""
        while True:
            for step in (self.bring, self.read):
                try:
                    await step()
                except (*AWAY, *ERRORS, RetryLater) as error:
                    FAILURES.labels("revocations").inc()
                    log.debug("revocations_not_compared", error=type(error).__name__)
            await asyncio.sleep(REVOCATIONS_EVERY_S)

    async def listen(self) -> None:
        """Hears what other APIs tell the gateways, for as long as the process lives; what is lost `run` reads."""
        while True:
            try:
                async with self._redis.pubsub() as bus:
                    await bus.subscribe(CONTROL_CHANNEL)
                    while True:
                        message = await bus.get_message(ignore_subscribe_messages=True, timeout=REVOCATIONS_EVERY_S)
                        if message is None:
                            await bus.ping()  # a server that has become unfit says so, and is left
                            continue
                        for one in of_message(message["data"], self._clock()):
                            self._revoked.add(one)
            except AWAY as error:
                log.debug("revocations_not_heard", error=type(error).__name__)
            await asyncio.sleep(REVOCATIONS_EVERY_S)

    async def bring(self) -> int:
        """Adds what this Redis may lack; how many it lacked. Raises what Redis and PostgreSQL raise, and RetryLater."""
        now = self._clock()
        try:
            mark = f"begun:{uuid4()}"  # lost with whatever this call adds, if Redis is
            await self._redis.zadd(REVOKED_KEY, {mark: now})
            through = float(await self._redis.zscore(REVOKED_KEY, REVOKED_THROUGH) or 0.0)
        except AWAY:
            await self._ended(now, now)  # this process refuses them all the same
            raise
        ended = await self._ended(through, now)
        added = 0
        for at in range(0, len(ended), REVOCATIONS_PER_CALL):
            added += await self._add(ended[at : at + REVOCATIONS_PER_CALL], now)
        if await self._add((), now, mark) < 0:
            log.info("redis_lost_revocations")
        elif added:
            log.info("revocations_brought", sessions=added)
        return added

    async def read(self) -> None:
        """Takes over what is new in the set: also users, and sessions that others ended. Raises as Redis does."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zscore(REVOKED_KEY, REVOKED_THROUGH)  # before the set, which may become whole in between
        since = self._since(self._read_until, self._clock())
        pipe.zrangebyscore(REVOKED_KEY, since, "+inf", start=0, num=REVOCATIONS_MAX, withscores=True)
        through, members = await pipe.execute()
        for member, score in members:
            if member != REVOKED_THROUGH.encode():
                self._read_until = max(self._read_until, score)
                self._revoked.add(of_member(member, score))
        self._known = self._known or through is not None

    async def _ended(self, through: float, now: float) -> list[UUID]:
        """Sessions that ended since `through`, as PostgreSQL knows them; none of them is honoured here any more."""
        since = min(self._since(through, now), self._since(self._ended_until, now))
        ended = await store.sessions_ended_since(self._db, datetime.fromtimestamp(since, UTC))
        self._remember(ended, now)
        self._ended_until = now
        self._known = True
        return ended

    def _since(self, until: float, now: float) -> float:
        # A session that is being ended is committed a while after the time that it carries.
        return max(min(until, now) - REVOCATION_LATE_S, now - REVOCATIONS_KEPT_S)

    def _remember(self, sessions: Sequence[UUID], now: float) -> None:
        for session in sessions:
            self._revoked.add(Revocation("sid", str(session), now))

    async def _add(self, sessions: Sequence[UUID], now: float, mark: str = "") -> int:
        args = [repr(now), repr(now - REVOCATIONS_KEPT_S), CONTROL_CHANNEL, mark, repr(now)]
        return int(await _script(self._redis, [REVOKED_KEY], [*args, *(str(session) for session in sessions)]))
