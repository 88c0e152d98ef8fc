"""The pool of PostgreSQL connections that the API and the worker use; the gateway never imports this."""

import asyncio
import contextlib
import time
from typing import Any, Final

import asyncpg
import structlog
from pydantic import SecretStr

from config.db import sqlstates
from config.db.sqlstates import Fault, Kind
from config.settings import Settings

log = structlog.get_logger()

IDLE_S: Final = 30.0
CONNECT_S: Final = 5.0
STATEMENT_S: Final = 30.0
STATEMENT_CACHE: Final = 256  # of a connection
ENCODING: Final = "UTF8"

FAULT_SHOWN_S: Final = 10.0
LEAVE_EVERY_S: Final = 1.0
_LOOK: Final = "SELECT current_setting('transaction_read_only') = 'on'"  # also of a standby

# Whatever a statement, a commit or the pool may raise that PostgreSQL or the way to it has caused, of whatever state.
ERRORS: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection whose server has said goodbye and not hung up yet
)

# What a connection says of a prepared statement that it does not have, or not any more: a pooler has put another server
# behind it, or a migration has changed what the statement reads. Nothing was done; another try prepares it anew.
STALE: Final = (
    asyncpg.InvalidCachedStatementError,
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
    # It met the statement of another process, of the same name.
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.InvalidBinaryRepresentationError,
)


class UnfitDatabaseError(Exception):
    """The database cannot hold what people write; the text says what to do."""


class _Opener:
    """Opens connections with as many prepared statements as whatever answers can keep."""

    def __init__(self, settings: Settings) -> None:
        self._cache = settings.database_statement_cache

    async def __call__(self, *args: Any, **kwargs: Any) -> asyncpg.Connection:
        """As asyncpg.connect. Raises UnfitDatabaseError too."""
        if self._cache is None:
            self._cache = await self._fitting(*args, **kwargs)
        connection = await asyncpg.connect(*args, **kwargs, statement_cache_size=self._cache)
        encoding = connection.get_settings().server_encoding
        if encoding != ENCODING:
            connection.terminate()
            raise UnfitDatabaseError(unfit(encoding))
        return connection

    async def _fitting(self, *args: Any, **kwargs: Any) -> int:
        """None behind a pooler: its server changes from one transaction to the next. It shows by a process id that is
        not the server's."""
        connection = await asyncpg.connect(*args, **kwargs, statement_cache_size=0)
        try:
            await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")  # a standby refuses the role's own level
            is_direct = await connection.fetchval("SELECT pg_backend_pid()") == connection.get_server_pid()
        finally:
            connection.terminate()
        if not is_direct:
            log.info("postgres_through_a_pooler", prepared_statements=0)
        return STATEMENT_CACHE if is_direct else 0


def unfit(encoding: str) -> str:
    """What to say of a database of this encoding."""
    return (
        f"the database is in {encoding}, and names and notes need {ENCODING}: make one with"
        f" CREATE DATABASE … TEMPLATE template0 ENCODING '{ENCODING}', and move what is in this one by dump and restore"
    )


async def connect_once(settings: Settings, url: SecretStr) -> asyncpg.Connection:
    """One connection to `url`. Raises what is in ERRORS, or UnfitDatabaseError."""
    return await _Opener(settings)(url.get_secret_value(), timeout=CONNECT_S)


def fault_of(error: BaseException) -> Fault | None:
    """What an error means (config/db/sqlstates.py); None where PostgreSQL has no part in it."""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return sqlstates.CONFLICT  # planned for tables that have changed since; the next try plans anew
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate:
        return sqlstates.of_state(error.sqlstate)
    if isinstance(error, TimeoutError):
        return sqlstates.TOO_SLOW
    return sqlstates.DOES_NOT_ANSWER if isinstance(error, ERRORS) else None


class Troubles:
    """Which statements of this process the server could not run when they were last tried, for readiness.

    What is full or lacks a table shows only where it is used, so each statement's last word counts, for FAULT_SHOWN_S:
    whoever gets no requests any more, because it is not ready, shall try again.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, str]] = {}
        self.left_at = -LEAVE_EVERY_S  # when connections to a server that cannot write were given up last

    def failed(self, statement: str, error: BaseException) -> None:
        """`statement` (its name) raised `error`."""
        fault = fault_of(error)
        if fault is not None and fault.kind is Kind.UNFIT:
            self._known[statement] = (time.monotonic(), fault.reason)

    def went(self, statement: str) -> None:
        """`statement` was run."""
        if self._known:
            self._known.pop(statement, None)

    def reason(self) -> str | None:
        """The newest that still counts."""
        at, reason = max(self._known.values(), default=(-FAULT_SHOWN_S, ""))
        return reason if time.monotonic() - at < FAULT_SHOWN_S else None


troubles: Final = Troubles()


def make_pool(settings: Settings, url: SecretStr | None = None) -> asyncpg.Pool:
    """A pool that is not connected yet; `connect` does that, also while PostgreSQL is still away. On DATABASE_URL,
    unless another `url` is given.

    Until then `acquire` raises asyncpg.InterfaceError, which is one of ERRORS.
    """

    opened = 0
    open_one = _Opener(settings)

    async def patiently(*args: Any, **kwargs: Any) -> asyncpg.Connection:
        # asyncpg closes a pool for good when one of its first connections fails; so these do not fail, they wait.
        nonlocal opened
        wait_s = 0.05
        while True:
            try:
                connection = await open_one(*args, **kwargs)
            except ERRORS as error:
                if opened >= settings.database_pool_min:
                    raise
                log.warning("postgres_unavailable", error=type(error).__name__)
                await asyncio.sleep(wait_s)
                wait_s = min(1.0, wait_s * 2)
            else:
                opened += 1
                return connection

    return asyncpg.create_pool(
        (url or settings.database_url).get_secret_value(),
        min_size=settings.database_pool_min,
        max_size=settings.database_pool_max,
        init_size=settings.database_pool_min,
        max_inactive_connection_lifetime=IDLE_S,
        command_timeout=STATEMENT_S,
        connect=patiently,
        reset=_nothing_to_reset,
        timeout=CONNECT_S,
    )


async def _nothing_to_reset(_: asyncpg.Connection) -> None:
    """asyncpg rolls an open transaction back by itself; nobody here changes a session, so its RESET ALL, a round trip
    at each release, has nothing to do.
    """


async def connect(pool: asyncpg.Pool) -> None:
    """Opens the pool's first connections, trying again until the server answers. Cancel it to give up.

    Raises UnfitDatabaseError.
    """
    await pool


async def close(pool: asyncpg.Pool, within_s: float) -> None:
    """Closes the pool in whatever state it is; connections that are in use after `within_s` are cut."""
    try:
        async with asyncio.timeout(within_s):
            await pool.close()
    except ERRORS:
        with contextlib.suppress(asyncpg.InterfaceError):  # it was never connected
            pool.terminate()


async def fault(pool: asyncpg.Pool) -> str | None:
    """Why PostgreSQL cannot serve, in words for readiness ("does not answer", "read-only", "full", …), or None. Takes a
    second at most. What cannot be seen from outside counts as the statements of this process last met it."""
    try:
        async with asyncio.timeout(1), pool.acquire() as connection:
            read_only = await connection.fetchval(_LOOK)
    except ERRORS as error:
        found = fault_of(error)
        return (sqlstates.DOES_NOT_ANSWER if found is None or found.kind is Kind.SLOW else found).reason
    if read_only:
        await _leave(pool)
        return sqlstates.READ_ONLY.reason
    return troubles.reason()


async def leave_unfit(pool: asyncpg.Pool, error: BaseException) -> bool:
    """A server that says it is read-only may be yesterday's: its connections are made anew, when they are used next.
    Whether that was done; not more often than every LEAVE_EVERY_S."""
    return fault_of(error) is sqlstates.READ_ONLY and await _leave(pool)


async def _leave(pool: asyncpg.Pool) -> bool:
    now = time.monotonic()
    if now - troubles.left_at < LEAVE_EVERY_S:
        return False
    troubles.left_at = now
    await pool.expire_connections()
    return True


def pool_gauges(pool: asyncpg.Pool) -> dict[str, Any]:
    """Total and idle connections now; the names are those of the metrics."""
    return {"pg_pool_total_connections": pool.get_size(), "pg_pool_idle_connections": pool.get_idle_size()}
