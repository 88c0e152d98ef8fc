"""Brings what was taken back to the gateways: at once, and again for whatever Redis missed or lost.

PostgreSQL knows who was signed out, who may not read a channel any more, and who may know of whose presence. Redis
carries it: a message to the sockets that are open now, and two sets for gateways that missed the message or start
later. A set says itself up to when it is whole (its member `through`), so a Redis that was away, wiped, or replaced by
an older copy tells what it lacks, however many APIs look. Ended sessions are refused here too.
This process judges by the same rule over what PostgreSQL, the set and the bus say: whichever it hears first.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final, NamedTuple
from uuid import UUID, uuid4

import structlog

from api.accounts import store
from config.db.database import Database
from config.db.postgres import ERRORS
from config.errors import RetryLater
from config.limits import ENDED_KEPT_S, REVOCATION_LATE_S, REVOCATIONS_EVERY_S, REVOCATIONS_KEPT_S, REVOCATIONS_MAX
from config.metrics import FAILURES
from config.redis import AWAY, RedisClient, heard, load_script
from rt.auth.revoked import Revocation, Revoked, member_of, of_member, of_message
from rt.auth.tokens import Access
from rt.wire.bus import CONTROL_CHANNEL, ENDED_KEY, REVOKED_KEY, REVOKED_THROUGH

log = structlog.get_logger()

REVOCATION_TELL_S: Final = 1  # a sign-out waits for Redis this long; then the comparison brings it
REVOCATIONS_PER_CALL: Final = 500  # in one script call and one message: under 1 ms of Redis

_script: Final = load_script(__file__, "revoke")


class _Ledger(NamedTuple):
    """A set in Redis, and how long before now a score is forgotten there."""

    key: str
    kept_s: int


_SIGNED_OUT: Final = _Ledger(REVOKED_KEY, REVOCATIONS_KEPT_S)
_ENDED: Final = _Ledger(ENDED_KEY, ENDED_KEPT_S)


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

    @property
    def known(self) -> bool:
        """Whether it is known what was ended."""
        return self._known

    def covers(self, access: Access) -> bool:
        """Whether the access was ended. Raises RetryLater until it is known what was."""
        if not self._known:
            raise RetryLater
        return self._revoked.covers(access)

    async def tell(self, sessions: Sequence[UUID]) -> None:
        """Tells every gateway that sessions have ended, which is committed. Never fails: `run` brings the rest."""
        now = self._clock()
        self._remember(sessions, now)
        await self._tell(_SIGNED_OUT, _of_sessions(sessions, now), now)

    async def tell_readers(self, ended: Sequence[Revocation]) -> None:
        """The same of channels that somebody may not read any more (`channel`)."""
        await self._tell(_ENDED, ended, self._clock())

    async def tell_audience(self, chosen: Revocation) -> None:
        """The same of an audience that somebody has chosen (`audience`)."""
        await self._tell(_SIGNED_OUT, [chosen], self._clock())

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
                async for message in heard(self._redis, CONTROL_CHANNEL, REVOCATIONS_EVERY_S):
                    for one in of_message(message, self._clock()):
                        self._revoked.add(one)
            except AWAY as error:
                log.debug("revocations_not_heard", error=type(error).__name__)
            await asyncio.sleep(REVOCATIONS_EVERY_S)

    async def bring(self) -> int:
        """Adds what this Redis may lack; how many it lacked. Raises what Redis and PostgreSQL raise, and RetryLater."""
        now = self._clock()
        try:
            mark, through = await self._begin(_SIGNED_OUT, now)
        except AWAY:
            await self._ended(now, now)  # this process refuses them all the same
            raise
        ended = _of_sessions(await self._ended(through, now), now)
        chosen = await store.audiences_since(self._db, self._at(_SIGNED_OUT, through, now))
        added = await self._finish(_SIGNED_OUT, mark, [*ended, *chosen], now)

        mark, through = await self._begin(_ENDED, now)
        channels = await store.reading_ended_since(self._db, self._at(_ENDED, through, now))
        return added + await self._finish(_ENDED, mark, channels, now)

    async def read(self) -> None:
        """Takes over what is new in the set: also users, and sessions that others ended. Raises as Redis does."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zscore(REVOKED_KEY, REVOKED_THROUGH)  # before the set, which may become whole in between
        since = self._since(_SIGNED_OUT, self._read_until, self._clock())
        pipe.zrangebyscore(REVOKED_KEY, since, "+inf", start=0, num=REVOCATIONS_MAX, withscores=True)
        through, members = await pipe.execute()
        for member, score in members:
            if member != REVOKED_THROUGH.encode():
                self._read_until = max(self._read_until, score)
                self._revoked.add(of_member(member, score))
        self._known = self._known or through is not None

    async def _ended(self, through: float, now: float) -> list[UUID]:
        """Sessions that ended since `through`, as PostgreSQL knows them; none of them is honoured here any more."""
        since = min(self._since(_SIGNED_OUT, through, now), self._since(_SIGNED_OUT, self._ended_until, now))
        ended = await store.sessions_ended_since(self._db, datetime.fromtimestamp(since, UTC))
        self._remember(ended, now)
        self._ended_until = now
        self._known = True
        return ended

    def _since(self, ledger: _Ledger, until: float, now: float) -> float:
        # What is being ended is committed a while after the time that it carries.
        return max(min(until, now) - REVOCATION_LATE_S, now - ledger.kept_s - REVOCATION_LATE_S)

    def _at(self, ledger: _Ledger, until: float, now: float) -> datetime:
        return datetime.fromtimestamp(self._since(ledger, until, now), UTC)

    def _remember(self, sessions: Sequence[UUID], now: float) -> None:
        for one in _of_sessions(sessions, now):
            self._revoked.add(one)

    async def _tell(self, ledger: _Ledger, taken: Sequence[Revocation], now: float) -> None:
        try:
            async with asyncio.timeout(REVOCATION_TELL_S):
                await self._add(ledger, taken, now)
        except AWAY as error:
            FAILURES.labels("revoke").inc()
            log.warning("revocation_waits_for_redis", revocations=len(taken), error=type(error).__name__)

    async def _begin(self, ledger: _Ledger, now: float) -> tuple[str, float]:
        """A mark in the set, which is lost with whatever is added after it, if Redis is; and up to when it is whole."""
        mark = f"begun:{uuid4()}"
        await self._redis.zadd(ledger.key, {mark: now})
        return mark, float(await self._redis.zscore(ledger.key, REVOKED_THROUGH) or 0.0)

    async def _finish(self, ledger: _Ledger, mark: str, taken: Sequence[Revocation], now: float) -> int:
        """Adds these; the set is whole up to `now` where the mark is still there."""
        added = 0
        for at in range(0, len(taken), REVOCATIONS_PER_CALL):
            added += await self._add(ledger, taken[at : at + REVOCATIONS_PER_CALL], now)
        if await self._add(ledger, (), now, mark) < 0:
            log.info("redis_lost_revocations")
        elif added:
            log.info("revocations_brought", revocations=added)
        return added

    async def _add(self, ledger: _Ledger, taken: Sequence[Revocation], now: float, mark: str = "") -> int:
        """A session that is known keeps the time at which it came; others count by their own."""
        added = 0
        for rule, some in (("NX", [one for one in taken if one.kind == "sid"]), ("GT", taken)):
            pairs = [(member_of(one), repr(one.at)) for one in some if rule == "NX" or one.kind != "sid"]
            if pairs or (rule == "GT" and mark):
                args = [rule, repr(now - ledger.kept_s), CONTROL_CHANNEL, mark, repr(now), *chain.from_iterable(pairs)]
                added += int(await _script(self._redis, [ledger.key], args))
        return added


def _of_sessions(sessions: Sequence[UUID], now: float) -> list[Revocation]:
    return [Revocation("sid", str(session), now) for session in sessions]
