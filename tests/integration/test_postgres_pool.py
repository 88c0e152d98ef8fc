"""The pool of PostgreSQL connections: made before its server, and after it went away."""

import asyncio
from urllib.parse import urlsplit

import pytest

from config.db.postgres import ERRORS, connect, fault, fault_of, make_pool
from config.db.sqlstates import Fault, Kind
from config.settings import Settings
from tests.support.gateway import until
from tests.support.proxy import Proxy
from tests.support.stores import Database, TestStores


async def test_a_pool_waits_for_its_server(own_stores: TestStores) -> None:
    """Failed against: asyncpg's own initialisation, which closes a pool whose first connection fails for good."""
    own_stores.postgres.stop()
    pool = make_pool(Settings(database_url=own_stores.database.url))
    connecting = asyncio.create_task(connect(pool))
    await asyncio.sleep(0.3)
    assert await fault(pool) == "does not answer"
    own_stores.postgres.start()
    async with asyncio.timeout(20):
        await connecting
    assert await fault(pool) is None
    own_stores.postgres.stop()
    assert await fault(pool) == "does not answer"
    own_stores.postgres.start()
    assert await fault(pool) is None
    pool.terminate()


async def test_a_server_that_said_goodbye_and_has_not_hung_up_is_away(database: Database) -> None:
    """What every backend says when another one crashed; its connection is closed a moment later. Failed against: a
    relay that took asyncpg's word for it, InternalClientError, for a defect of ours, and ended its process."""
    address = urlsplit(database.url)
    assert address.hostname
    assert address.port
    proxy = Proxy(address.hostname, address.port)
    async with proxy.running():
        pool = make_pool(Settings(database_url=proxy.url(database.url)))
        await connect(pool)
        async with pool.acquire() as connection:
            mark = message(b"S", b"application_name", b"marked")  # so that we see when both were read
            proxy.say(mark + message(b"E", b"SFATAL", b"VFATAL", b"C57P02", b"Mterminating connection", b""))
            await until(lambda: connection.get_settings().application_name == "marked")
            with pytest.raises(ERRORS) as said:
                await connection.execute("SELECT true")
            assert fault_of(said.value) == Fault(Kind.AWAY, "does not answer")
        await proxy.cut()

        async def answers() -> bool:
            return await fault(pool) is None

        await until(answers)
        pool.terminate()


def message(kind: bytes, *words: bytes) -> bytes:
    """A message of PostgreSQL's protocol whose body is a list of strings."""
    body = b"".join(word + b"\0" for word in words)
    return kind + (4 + len(body)).to_bytes(4, "big") + body
