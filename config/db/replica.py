"""The replica: a standby that answers reads which may be a moment old, and never those by which anything is decided.

It is asked only where it is at most REPLICA_LAG_S_MAX behind, and where it has replayed what the viewer wrote. How far
that is stands in Redis (`WRITTEN_KEY`): a sorted set of viewers by the position in the write-ahead log at which their
last write was surely durable, kept until every replica that serves has it. Its member `*` is how far everybody's reads
must be: what was taken from others (a block, a stricter audience, a deletion) moves it, and so does a Redis that
has lost the set or was replaced. Whatever is in doubt, the primary answers.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from config.db.lag import Lag
from config.db.postgres import ERRORS, Troubles
from config.limits import REPLICA_LAG_S_MAX
from config.metrics import REPLICA_LAG_S, REPLICA_READS
from config.redis import AWAY, RedisClient

log = structlog.get_logger()

WRITTEN_KEY: Final = "replica:written"
EVERYBODY: Final = "*"
REPLICA_LOOK_S: Final = 0.5
_LOOK_S: Final = 1.0  # what one look may take
_ASK_S: Final = 0.2  # Redis, on the way of a read
_READ_S: Final = 2.0  # a read, before the primary is asked instead
_NOTE_S: Final = 1.0  # to note a write
_SEEN_EVERY_S: Final = 0.02
_KEPT_S: Final = REPLICA_LAG_S_MAX + 5  # by then every replica that serves has what was written

_WRITTEN: Final = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
_REPLAYED: Final = "SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint WHERE pg_is_in_recovery()"
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"  # a standby refuses the role's SERIALIZABLE


class ElsewhereError(Exception):
    """The replica does not answer this read: ask the primary."""


class Replica:
    """One process's use of the standby that `pool` leads to; `run` looks after it, from the process's start on."""

    def __init__(self, pool: asyncpg.Pool, redis: RedisClient, clock: Callable[[], float] = time.monotonic) -> None:
        self.pool = pool
        self.troubles = Troubles()  # not the process's: it serves without
        self._redis = redis
        self._clock = clock
        self._lag = Lag()
        self._answers = False  # at the last look
        self._told: str | None = ""
        self._run_id: str | None = None
        self._positions: deque[tuple[float, int]] = deque()  # the primary's, of the last _KEPT_S

    @property
    def fault(self) -> str | None:
        """Why it is not asked, in words for readiness; None while it is."""
        if not self._answers:
            return "does not answer"
        return "behind" if self._lag.behind_s(self._clock()) > REPLICA_LAG_S_MAX else None

    @contextlib.asynccontextmanager
    async def asked(self, viewer: UUID | None) -> AsyncIterator[str]:
        """Around one read of `viewer`'s there: gives a statement for its transaction, which fails where the replica has
        not replayed what it must. Raises ElsewhereError for whatever the read met of the server's."""
        needed = await self._needed(viewer)
        try:
            async with asyncio.timeout(_READ_S):
                # 22012, division by zero, unless this very server is a standby that has come so far
                yield (
                    f"SELECT 1 / coalesce(pg_is_in_recovery() AND pg_last_wal_replay_lsn() - '0/0' >= {needed}, false)"
                    "::integer"
                )
        except asyncpg.DivisionByZeroError:
            raise self._elsewhere("behind") from None
        except asyncpg.SerializationError:  # it removed a row that this read needed
            raise self._elsewhere("conflict") from None
        except ERRORS as error:
            self._answers = False  # nobody tries again before the next look
            log.info("replica_read_failed", error=type(error).__name__)
            raise self._elsewhere("away") from None
        REPLICA_READS.labels("replica").inc()

    async def wrote(self, primary: asyncpg.Pool, viewer: UUID | None, *, for_all: bool) -> None:
        """`viewer` has written: returns when no read of theirs can miss it; with `for_all`, nobody's read.

        Where it cannot be noted, that is when the replica has replayed it, or is too old to be asked.
        """
        members = [EVERYBODY] if for_all else []
        members += [] if viewer is None else [str(viewer)]
        if not members:
            return
        position: int | None = None
        try:
            async with asyncio.timeout(_NOTE_S):
                position = await primary.fetchval(_WRITTEN)
                await self._redis.zadd(WRITTEN_KEY, dict.fromkeys(members, position), gt=True)
        except (*ERRORS, *AWAY) as error:
            log.info("write_not_noted", error=type(error).__name__)
            await self._seen(position)

    async def run(self, primary: asyncpg.Pool) -> None:
        """Looks at both servers and keeps the set whole and small, for as long as the process lives."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._look(primary)
                self._answers = True
            except (*ERRORS, *AWAY) as error:
                self._answers = False
                log.debug("replica_not_seen", error=type(error).__name__)
            REPLICA_LAG_S.set(self._lag.behind_s(self._clock()))
            if self.fault != self._told:
                self._told = self.fault
                log.info("replica", fault=self._told)
            await asyncio.sleep(REPLICA_LOOK_S)

    async def _needed(self, viewer: UUID | None) -> int:
        """How far it must be for a read of `viewer`'s. Raises ElsewhereError where nobody knows, or it is too old."""
        fault = self.fault
        if fault is not None:
            raise self._elsewhere("behind" if fault == "behind" else "away")
        members = [EVERYBODY] if viewer is None else [EVERYBODY, str(viewer)]
        try:
            async with asyncio.timeout(_ASK_S):
                everybody, *own = await self._redis.zmscore(WRITTEN_KEY, members)
        except AWAY:
            raise self._elsewhere("unknown") from None
        if everybody is None:  # Redis has lost the set
            raise self._elsewhere("unknown")
        return int(max([everybody, *(score for score in own if score is not None)]))

    async def _look(self, primary: asyncpg.Pool) -> None:
        now = self._clock()
        written = await primary.fetchval(_WRITTEN)
        self._lag.primary_at(now, written)
        await self._keep(now, written)
        replayed = await self._replayed()
        if replayed is None:
            raise ConnectionError("no standby")
        self._lag.replica_at(replayed)

    async def _keep(self, now: float, written: int) -> None:
        """The set has `*`, and of writers only those whom a replica may lack."""
        self._positions.append((now, written))
        while self._positions[0][0] < now - 2 * _KEPT_S:
            self._positions.popleft()
        old = max((position for at, position in self._positions if at <= now - _KEPT_S), default=0)
        run_id = (await self._redis.info("server"))["run_id"]
        async with self._redis.pipeline(transaction=True) as pipe:
            # What another server knows of writers may be older than what was noted.
            replaced = self._run_id not in (None, run_id)
            pipe.zadd(WRITTEN_KEY, {EVERYBODY: written}, nx=not replaced, gt=replaced)
            pipe.zremrangebyscore(WRITTEN_KEY, "-inf", f"({old}")
            pipe.zadd(WRITTEN_KEY, {EVERYBODY: old}, gt=True)
            await pipe.execute()
        self._run_id = run_id

    async def _replayed(self) -> int | None:
        """None where it is no standby."""
        async with self.pool.acquire() as connection:
            await connection.execute(_BEGIN)
            position: int | None = await connection.fetchval(_REPLAYED)
            await connection.execute("COMMIT")
        return position

    async def _seen(self, position: int | None) -> None:
        """Until the replica is there, or has been too old for long enough."""
        end = self._clock() + REPLICA_LAG_S_MAX
        while self._clock() < end:
            with contextlib.suppress(*ERRORS):
                async with asyncio.timeout(_ASK_S):
                    replayed = await self._replayed()
                if position is not None and replayed is not None and replayed >= position:
                    return
            await asyncio.sleep(_SEEN_EVERY_S)

    @staticmethod
    def _elsewhere(why: str) -> ElsewhereError:
        REPLICA_READS.labels(why).inc()
        return ElsewhereError(why)
