"""The database as the API uses it: reads, whole transactions with retries, named statements.

Each transaction begins by saying who asks, for row level security (api/migrations/policies.sql), in the round trip of
its BEGIN and to its own end: the next one on the connection, or behind a pooler on the server's, is somebody else's.
Reads are READ COMMITTED and take no part in conflicts. Writes are SERIALIZABLE and are repeated whole: after a
serialization failure (40001), a deadlock (40P01), or where a twin inserted the same key meanwhile (23505). Both are
repeated where a migration or a pooler took their prepared statement away. Full jitter, bounds in config/limits.py, then
RetryLater. Whatever else is the server's fault is RetryLater at once (config/db/sqlstates.py).
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import ExitStack, asynccontextmanager, nullcontext, suppress
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import structlog

from config.db.lanes import Lanes
from config.db.postgres import ERRORS, STALE, Troubles, fault_of, leave_unfit, troubles
from config.db.queries import Query
from config.db.replica import ElsewhereError, Replica
from config.db.share import Share
from config.db.slow import slow
from config.db.sqlstates import Kind
from config.errors import RetryLater
from config.limits import (
    ANONYMOUS_READS_WAITING_MAX,
    CONNECTION_WAIT_S,
    REQUEST_STATEMENTS_WAITING_MAX,
    REQUEST_TURN_S,
    TRANSACTION_TRIES,
)
from config.metrics import PG_TRANSACTION_RETRIES
from config.tracing import traces

log = structlog.get_logger()

TRANSACTION_BACKOFF_BASE_S: Final = 0.010
TRANSACTION_BACKOFF_CAP_S: Final = 0.320

_READING: Final = "READ COMMITTED READ ONLY"
_SNAPSHOT: Final = "REPEATABLE READ READ ONLY"
_WRITING: Final = "SERIALIZABLE"

Result = TypeVar("Result")


class Transaction:
    """What the work of one transaction may do: run named statements. It neither commits nor rolls back. Slow ones are
    told (config/db/slow.py)."""

    __slots__ = ("_connection", "_slow_s", "_troubles")

    def __init__(self, connection: asyncpg.Connection, *, of: Troubles = troubles, slow_s: float = 0.0) -> None:
        """`of`: what is known of the server on the other side, the process's own unless it is another. `slow_s`: above
        this, and above the process's bound, a statement is slow."""
        self._connection = connection
        self._troubles = of
        self._slow_s = slow_s

    async def fetch(self, query: Query, *args: Any) -> list[Any]:
        """All rows."""
        rows: list[Any] = await self._timed(query, self._connection.fetch, args)
        return rows

    async def fetchrow(self, query: Query, *args: Any) -> Any:
        """The first row, or None."""
        return await self._timed(query, self._connection.fetchrow, args)

    async def fetchval(self, query: Query, *args: Any) -> Any:
        """The first column of the first row, or None."""
        return await self._timed(query, self._connection.fetchval, args)

    async def pages(self, query: Query, *args: Any, size: int) -> AsyncIterator[list[Any]]:
        """All rows, read from the server `size` at a time."""
        started = time.perf_counter()
        cursor = await self._connection.cursor(query.sql, *args)
        while rows := await cursor.fetch(size):
            yield rows
        query.observe(time.perf_counter() - started)

    async def execute(self, query: Query, *args: Any) -> None:
        """No rows."""
        await self._timed(query, self._connection.execute, args)

    async def _timed(self, query: Query, run: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> Any:
        started = time.perf_counter()
        try:
            found = await run(query.sql, *args)
        except ERRORS as error:
            self._troubles.failed(query.name, error)
            raise
        else:
            self._troubles.went(query.name)
            return found
        finally:
            took_s = time.perf_counter() - started
            query.observe(took_s)
            if traces.here:
                traces.past(query.name, took_s)
            if took_s > slow.over_s and took_s > self._slow_s:
                slow.saw(query, took_s)


class Database:
    """One process's use of a pool (config.db.postgres.make_pool), as nobody's: `of` and `for_request` say whose.
    `chance` gives numbers in [0, 1), for the jitter. `replica`: what may answer the reads of `by_replica`."""

    def __init__(
        self, pool: asyncpg.Pool, *, replica: Replica | None = None, chance: Callable[[], float] = random.random
    ) -> None:
        self.pool = pool
        self._replica = replica
        self._may_be_old = False
        self._lanes = Lanes()
        self._chance = chance
        self._waiting = Counter[str]()  # shared with the views of requests
        # Who is not signed in shares half of the pool: those who are go on meanwhile.
        self._anonymous = Share(max(1, pool.get_max_size() // 2), ANONYMOUS_READS_WAITING_MAX, CONNECTION_WAIT_S)
        self._shares: tuple[Share, ...] = ()
        self._viewer: UUID | None = None

    @property
    def waiting(self) -> int:
        """Callers that wait for a connection now."""
        return self._waiting["connection"]

    @property
    def by_replica(self) -> "Database":
        """The same database for what is only shown: its reads may be as old as REPLICA_LAG_S_MAX, and never older than
        what its viewer wrote. Nothing is decided by them, and `snapshot` and writes are the primary's all the same."""
        if self._replica is None:
            return self
        view = self._view()
        view._may_be_old = True  # noqa: SLF001 - our own kind
        return view

    def of(self, viewer: UUID | None) -> "Database":
        """The same database as this user sees it; None = nobody."""
        view = self._view()
        view._viewer = viewer  # noqa: SLF001 - our own kind
        return view

    def for_request(self, viewer: UUID | None) -> "Database":
        """The same database as one request of `viewer` uses it: one statement or transaction after the other, and for
        whoever is not signed in within half of the pool. Whoever waits too long for either gets RetryLater."""
        view = self.of(viewer)
        turn = Share(1, REQUEST_STATEMENTS_WAITING_MAX, REQUEST_TURN_S)
        view._shares = (turn, self._anonymous) if viewer is None else (turn,)  # noqa: SLF001 - our own kind
        return view

    def _view(self) -> "Database":
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)  # copy.copy takes ten times as long, several times a request
        return view

    async def fetch(self, query: Query, *args: Any) -> list[Any]:
        """All rows of one read. Raises RetryLater while the database is away."""

        async def work(tx: Transaction) -> list[Any]:
            return await tx.fetch(query, *args)

        return await self.read(work)

    async def fetchrow(self, query: Query, *args: Any) -> Any:
        """The first row of one read, or None. Raises RetryLater while the database is away."""

        async def work(tx: Transaction) -> Any:
            return await tx.fetchrow(query, *args)

        return await self.read(work)

    async def read(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """What `work` reads, in one READ COMMITTED transaction that cannot write. Repeated while the server is away."""
        if self._may_be_old and self._replica is not None:
            with suppress(ElsewhereError):
                return await self._read_replica(self._replica, work)

        async def attempt() -> Result:
            async with self._connection() as connection, self._begun(connection, _READING):
                return await work(Transaction(connection))

        return await self._repeat(attempt, frozenset())

    async def snapshot(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """As `read`, with everything as it was at one instant (REPEATABLE READ). `work` may run several times."""

        async def attempt() -> Result:
            async with self._connection() as connection, self._begun(connection, _SNAPSHOT):
                return await work(Transaction(connection))

        return await self._repeat(attempt, frozenset())

    async def write(
        self,
        work: Callable[[Transaction], Awaitable[Result]],
        *,
        lane: Hashable | None = None,
        settle: Callable[[Transaction], Awaitable[Result | None]] | None = None,
        twins: frozenset[str] = frozenset(),
        takes: bool = False,
    ) -> Result:
        """What `work` returns, once its SERIALIZABLE transaction is durably committed. `work` may run several times.

        `lane`: writes with the same one wait for each other here (a user's id). `twins`: unique constraints whose
        violation means that the same request won elsewhere, so that a repeat will see it; any other violation is
        the caller's. `settle` looks up, on a new connection, whether a commit whose answer was lost took place:
        its result, or None to run the work again. Without it such a commit raises RetryLater. `takes`: it takes from
        others what they could see, so that no replica may show it any more.
        """

        async def attempt() -> Result:
            worked = False
            try:
                async with self._connection() as connection, self._begun(connection, _WRITING):
                    result = await work(Transaction(connection))
                    worked = True
            except ERRORS as error:
                if not worked or not _is_unsure(error):
                    raise
                if settle is None:
                    raise RetryLater from None
            else:
                return result
            settled = await self.read(settle)
            if settled is None:
                raise ConnectionError("the commit did not take place")
            return settled

        async with self._lanes.hold(lane) if lane is not None else nullcontext():
            done = await self._repeat(attempt, twins)
        await self._note(takes=takes)
        return done

    async def once(self, query: Query, *args: Any, twins: frozenset[str] = frozenset()) -> Any:
        """The row of one statement that writes, and says the same when it is run again: its arguments tell whether it
        was done. As `write`, for the viewer or for nobody."""

        async def work(tx: Transaction) -> Any:
            return await tx.fetchrow(query, *args)

        async def settle(_: Transaction) -> Any:
            return None

        return await self.write(work, settle=settle, twins=twins)

    async def call(
        self, query: Query, *args: Any, lane: Hashable | None = None, twins: frozenset[str], takes: bool = False
    ) -> Any:
        """The row of one statement that is a whole transaction and may be sent again: a function with its own key. It
        says itself who asks (`become`): by its first argument, which must be the viewer's id.

        The role's default isolation holds (SERIALIZABLE). One round trip. A lost connection, also while it commits,
        is answered by sending the same arguments on a new one: the key finds what was done. `takes`: as `write`.
        """
        if self._viewer is None or args[0] != self._viewer:
            raise ValueError(f"{query.name}: its first argument is not who asks")

        async def attempt() -> Any:
            async with (
                self._connection() as connection,
                # A trace's place goes along with a BEGIN of ours.
                self._begun(connection, _WRITING) if traces.here else nullcontext(),
            ):
                return await Transaction(connection).fetchrow(query, *args)

        async with self._lanes.hold(lane) if lane is not None else nullcontext():
            done = await self._repeat(attempt, twins)
        await self._note(takes=takes)
        return done

    async def _note(self, *, takes: bool) -> None:
        if self._replica is not None:
            await self._replica.wrote(self.pool, self._viewer, for_all=takes)

    async def _read_replica(self, replica: Replica, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Raises ElsewhereError."""
        async with (
            replica.asked(self._viewer) as condition,
            self._connection(replica.pool) as connection,
            self._begun(connection, _READING, condition),
        ):
            return await work(Transaction(connection, of=replica.troubles))

    def _connection(self, pool: asyncpg.Pool | None = None) -> "_Connection":
        return _Connection(pool or self.pool, self._shares, self._waiting)

    @asynccontextmanager
    async def _begun(self, connection: asyncpg.Connection, mode: str, then: str = "") -> AsyncIterator[None]:
        """A transaction of the viewer's, committed at the end, rolled back after an error; `then`: a statement that
        goes along with its BEGIN."""
        if traces.here:  # to the rows of the outbox
            then = f"SET LOCAL musclemap.trace TO '{traces.here}'; {then}"
        who = "" if self._viewer is None else str(UUID(int=self._viewer.int))  # an id's text, whatever was given
        try:
            await connection.execute(f"BEGIN ISOLATION LEVEL {mode}; SET LOCAL musclemap.user_id TO '{who}'; {then}")
            yield
        except BaseException:
            await _roll_back(connection)
            raise
        await connection.execute("COMMIT")

    async def _repeat(self, attempt: Callable[[], Awaitable[Result]], twins: frozenset[str]) -> Result:
        for tries in range(TRANSACTION_TRIES):
            try:
                return await attempt()
            except asyncpg.UniqueViolationError as error:
                if error.constraint_name not in twins:
                    raise
                reason = error.sqlstate
            except ERRORS as error:
                fault = fault_of(error)
                if fault is None or fault.kind is Kind.OURS:
                    raise
                reason = getattr(error, "sqlstate", None) or type(error).__name__
                again = fault.kind in (Kind.AWAY, Kind.CONFLICT) or isinstance(error, STALE)
                again = again or await leave_unfit(self.pool, error)
                if not again:  # at once it would go no better
                    log.warning("database_cannot", reason=fault.reason, error=reason)
                    raise RetryLater from None
            PG_TRANSACTION_RETRIES.labels(reason).inc()
            await asyncio.sleep(backoff_s(tries, self._chance()))
        log.warning("database_gave_up", reason=reason, tries=TRANSACTION_TRIES)
        raise RetryLater


class _Connection:
    """A connection of `pool` for an `async with`, within `shares`. No generator: each statement pays for it."""

    __slots__ = ("_connection", "_held", "_pool", "_shares", "_waiting")

    def __init__(self, pool: asyncpg.Pool, shares: Sequence[Share], waiting: Counter[str]) -> None:
        self._pool = pool
        self._shares = shares
        self._waiting = waiting
        self._held = ExitStack()
        self._connection: asyncpg.Connection | None = None

    async def __aenter__(self) -> asyncpg.Connection:
        self._waiting["connection"] += 1
        try:
            for share in self._shares:
                self._held.enter_context(await share.take())
            async with asyncio.timeout(CONNECTION_WAIT_S):  # the pool's own timeout costs a task
                self._connection = await self._pool.acquire()
        except BaseException:
            self._held.close()
            raise
        finally:
            self._waiting["connection"] -= 1
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        with self._held:
            await self._pool.release(self._connection)


def _is_unsure(error: BaseException) -> bool:
    """Whether a commit that ended so may have taken place."""
    fault = fault_of(error)
    return fault is not None and fault.kind in (Kind.AWAY, Kind.SLOW)


def backoff_s(tries: int, chance: float) -> float:
    """Full jitter: a random part (`chance`, 0-1) of a span that doubles with each of the `tries` so far, capped."""
    return chance * min(TRANSACTION_BACKOFF_CAP_S, TRANSACTION_BACKOFF_BASE_S * (1 << tries))


async def _roll_back(connection: asyncpg.Connection) -> None:
    """Rolls back where the connection still lives; where it does not, the server has done so."""
    try:
        await connection.execute("ROLLBACK")
    except ERRORS as error:
        log.info("rollback_skipped", error=type(error).__name__)
