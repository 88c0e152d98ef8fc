"""Redis is wiped, replaced by an older copy and moved, under 1,000 clients that hear 100 events a second."""

import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from config.embedded.account import home, unprivileged
from config.embedded.ports import HOST, free_port
from config.embedded.valkey import ValkeyServer
from config.redis import RedisClient, connect
from tests.support.crowd import Crowd
from tests.support.gateway import until
from tests.support.processes import Fleet
from tests.support.proxy import Proxy
from tests.support.relay import produce
from tests.support.stores import Database, environment

CLIENTS = 1_000
LIVE_AGAIN_S = 5.0
PRODUCERS = 5
PAUSE_S = 0.035  # and the commit: about 20 events a second each

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(300),
    # redis-py drops the stream of a connection that was cut without closing it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def follow(copy: Any, original: ValkeyServer, password: str) -> None:
    """Returns when `copy` has everything that `original` has."""
    await copy.config_set("masterauth", password)
    await copy.execute_command("REPLICAOF", HOST, str(original.port))

    async def synced() -> bool:
        return bool((await copy.info("replication")).get("master_link_status") == "up")

    await until(synced, 20)


class Load:
    """100 events a second, and how far PostgreSQL has numbered them."""

    def __init__(self, postgres: asyncpg.Connection, url: str, bus: RedisClient) -> None:
        users = [uuid.uuid4() for _ in range(50)]
        self._postgres = postgres
        self._enough = asyncio.Event()
        self._tasks = [
            asyncio.ensure_future(produce(url, bus, users, 10**6, PAUSE_S, self._enough)) for _ in range(PRODUCERS)
        ]

    async def head(self) -> int:
        query = "SELECT last_offset FROM feed_channels WHERE channel = 'community'"
        return int(await self._postgres.fetchval(query) or 0)

    async def end(self) -> int:
        """How many were produced, all of them numbered by now."""
        self._enough.set()
        produced = sum(await asyncio.gather(*self._tasks))

        async def numbered() -> bool:
            return await self.head() == produced

        await until(numbered, 20)
        return produced


@asynccontextmanager
async def loaded(database: Database, bus: RedisClient) -> AsyncIterator[Load]:
    postgres = await asyncpg.connect(database.superuser_url)
    load = Load(postgres, database.superuser_url, bus)
    try:
        yield load
    finally:
        await load.end()
        await postgres.close()


async def live_again(what: str, crowd: Crowd, load: Load) -> str:
    """Everybody hears events of after the fault within the time."""
    began = time.monotonic()
    await crowd.all_at(await load.head() + 10, 30)
    took_s = time.monotonic() - began
    assert took_s < LIVE_AGAIN_S, f"{what}: {took_s:.2f} s"
    await asyncio.sleep(2)
    return f"{what}: everybody live again after {took_s:.2f} s"


async def test_whatever_happens_to_redis_is_a_pause(database: Database, stores_folder: Path, tmp_path: Path) -> None:
    """Seen failing with a relay that makes a new epoch where Redis has none."""
    account, password = unprivileged(), secrets.token_hex(16)
    place = home(stores_folder / f"redis-{tmp_path.name}", account)
    first, other = (
        ValkeyServer(place / name, port=free_port(), password=password, account=account) for name in ("a", "b")
    )
    proxy = Proxy(HOST, first.port)
    try:
        first.start()
        other.start()
        async with proxy.running(), AsyncExitStack() as stack:
            url = proxy.url(first.url)
            bus = await stack.enter_async_context(connect(url))
            one: Any = await stack.enter_async_context(connect(first.url))
            two: Any = await stack.enter_async_context(connect(other.url))
            env = environment(**database.urls, REDIS_URL=url)
            settings = {"FEED_RATE": "", "RT_PROCESSES": "1"}
            async with Fleet(env, tmp_path, roles=("rt", "worker"), settings=settings) as fleet:
                crowd = Crowd([fleet.rt.port], "community")
                async with loaded(database, bus) as load:
                    await asyncio.sleep(1)
                    await crowd.enter([None] * CLIENTS)
                    started, start_head = time.monotonic(), await load.head()
                    first.kill()
                    await asyncio.to_thread(first.start)
                    report = [await live_again("wiped", crowd, load)]

                    await follow(two, first, password)
                    await two.execute_command("REPLICAOF", "NO", "ONE")
                    await asyncio.sleep(3)  # it is three seconds old when it takes over
                    proxy.move(HOST, other.port)
                    await proxy.cut()
                    report.append(await live_again("replaced by an older replica", crowd, load))

                    await follow(one, other, password)
                    await one.execute_command("REPLICAOF", "NO", "ONE")
                    proxy.move(HOST, first.port)
                    await proxy.cut()
                    report.append(await live_again("moved", crowd, load))

                    seconds = time.monotonic() - started
                    produced = await load.end()
                    await crowd.all_at(produced, 20)
                await crowd.leave()
        print("\n".join(report))
        print(f"{(produced - start_head) / seconds:.0f} events/s, {CLIENTS} clients, {crowd.counts()}")
        assert (crowd.holes, crowd.doubles, crowd.unrecovered, len(crowd.epochs)) == (0, 0, 0, 1)
        assert not crowd.codes  # nobody was even disconnected
    finally:
        first.stop()
        other.stop()
