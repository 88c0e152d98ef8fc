"""The pool of PostgreSQL connections that the API and the worker use; the gateway never imports this."""

import asyncio
import contextlib
from typing import Any, Final

import asyncpg
import structlog

from config.settings import Settings

log = structlog.get_logger()

IDLE_S: Final = 30.0
CONNECT_S: Final = 5.0
STATEMENT_S: Final = 30.0
STATEMENT_CACHE: Final = 256  # of a connection
ENCODING: Final = "UTF8"

# What means "the server is away or on its way": worth waiting for, never an answer about the data.
UNAVAILABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # of a connection whose server has said goodbye and not hung up yet
)

# What a connection says of a prepared statement that it does not have, or not any more: a pooler has put another server
# behind it, or a migration has changed what the statement reads. Nothing was done; another try prepares it anew.
STALE: Final = (
    asyncpg.InvalidCachedStatementError,
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
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


async def connect_once(settings: Settings) -> asyncpg.Connection:
    """One connection to DATABASE_URL. Raises what is in UNAVAILABLE, asyncpg.PostgresError or UnfitDatabaseError."""
    return await _Opener(settings)(settings.database_url.get_secret_value(), timeout=CONNECT_S)


def make_pool(settings: Settings) -> asyncpg.Pool:
    """A pool on DATABASE_URL that is not connected yet; `connect` does that, also while PostgreSQL is still away.

    Until then `acquire` raises asyncpg.InterfaceError, which is in UNAVAILABLE.
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
            except (*UNAVAILABLE, asyncpg.PostgresError) as error:
                if opened >= settings.database_pool_min:
                    raise
                log.warning("postgres_unavailable", error=type(error).__name__)
                await asyncio.sleep(wait_s)
                wait_s = min(1.0, wait_s * 2)
            else:
                opened += 1
                return connection

    return asyncpg.create_pool(
        settings.database_url.get_secret_value(),
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
    except (*UNAVAILABLE, asyncpg.PostgresError):
        with contextlib.suppress(asyncpg.InterfaceError):  # it was never connected
            pool.terminate()


async def alive(pool: asyncpg.Pool) -> bool:
    """Whether a connection answers within a second; for readiness."""
    try:
        async with asyncio.timeout(1), pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT true"))
    except (*UNAVAILABLE, asyncpg.PostgresError):
        return False


def pool_gauges(pool: asyncpg.Pool) -> dict[str, Any]:
    """Total and idle connections now; the names are those of the metrics."""
    return {"pg_pool_total_connections": pool.get_size(), "pg_pool_idle_connections": pool.get_idle_size()}
