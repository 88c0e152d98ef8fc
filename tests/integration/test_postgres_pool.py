"""The pool of PostgreSQL connections: made before its server, and after it went away."""

import asyncio

from config.postgres import alive, connect, make_pool
from config.settings import Settings
from tests.support.stores import TestStores


async def test_a_pool_waits_for_its_server(own_stores: TestStores) -> None:
    """Failed against: asyncpg's own initialisation, which closes a pool whose first connection fails for good."""
    own_stores.postgres.stop()
    pool = make_pool(Settings(database_url=own_stores.database_url))
    connecting = asyncio.create_task(connect(pool))
    await asyncio.sleep(0.3)
    assert not await alive(pool)
    own_stores.postgres.start()
    async with asyncio.timeout(5):
        await connecting
    assert await alive(pool)
    own_stores.postgres.stop()
    assert not await alive(pool)
    own_stores.postgres.start()
    assert await alive(pool)
    pool.terminate()
