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


def make_pool(settings: Settings) -> asyncpg.Pool:
    """A pool on DATABASE_URL that is not connected yet; `connect` does that, also while PostgreSQL is still away.

    Until then `acquire` raises asyncpg.InterfaceError, which is in UNAVAILABLE.
    """

    opened = 0

    async def patiently(*args: Any, **kwargs: Any) -> asyncpg.Connection:
        # asyncpg closes a pool for good when one of its first connections fails; so these do not fail, they wait.
        nonlocal opened
        wait_s = 0.05
        while True:
            try:
                connection = await asyncpg.connect(*args, **kwargs)
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
        statement_cache_size=settings.database_statement_cache,
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
    """Opens the pool's first connections, trying again until the server answers. Cancel it to give up."""
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
