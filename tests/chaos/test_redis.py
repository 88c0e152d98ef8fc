"""Redis is wiped, replaced by an older copy and moved, under 1,000 clients that hear 100 events a second."""

import asyncio
import secrets
import time
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from config.embedded.account import home, unprivileged
from config.embedded.ports import HOST, free_port
from config.embedded.valkey import ValkeyServer
from config.redis import connect
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

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


async def follow(copy: Any, original: ValkeyServer, password: str) -> None:
    """Returns when `copy` has everything that `original` has."""
    await copy.config_set("masterauth", password)
    await copy.execute_command("REPLICAOF", HOST, str(original.port))

    async def synced() -> bool:
        return bool((await copy.info("replication")).get("master_link_status") == "up")

    await until(synced, 20)


async def test_whatever_happens_to_redis_is_a_pause(database: Database, stores_folder: Path, tmp_path: Path) -> None:
    account, password = unprivileged(), secrets.token_hex(16)
    place = home(stores_folder / f"redis-{tmp_path.name}", account)
    first, other = (
        ValkeyServer(place / name, port=free_port(), password=password, account=account) for name in ("a", "b")
    )
    proxy = Proxy(HOST, first.port)
    report = []
    try:
        first.start()
        other.start()
        async with proxy.running():
            url = proxy.url(first.url)
            env = environment(DATABASE_URL=database.url, DATABASE_OWNER_URL=database.owner_url, REDIS_URL=url)
            settings = {"FEED_RATE": "", "RT_PROCESSES": "1"}
            async with Fleet(env, tmp_path, roles=("rt", "worker"), settings=settings) as fleet:
                bus = connect(url)
                one: Any = connect(first.url)
                two: Any = connect(other.url)
                postgres = await asyncpg.connect(database.url)

                async def head() -> int:
                    last = await postgres.fetchval("SELECT last_offset FROM feed_channels WHERE channel = 'community'")
                    return int(last or 0)

                async def live_again(what: str) -> None:
                    began = time.monotonic()
                    wanted = await head() + 10  # events of after the fault
                    await crowd.all_at(wanted, 30)
                    took_s = time.monotonic() - began
                    report.append(f"{what}: everybody live again after {took_s:.2f} s")
                    assert took_s < LIVE_AGAIN_S
                    await asyncio.sleep(2)

                crowd, enough = Crowd([fleet.rt.port], "community"), asyncio.Event()
                users = [uuid.uuid4() for _ in range(50)]
                load = [
                    asyncio.ensure_future(produce(database.url, bus, users, 10**6, PAUSE_S, enough))
                    for _ in range(PRODUCERS)
                ]
                try:
                    await asyncio.sleep(1)
                    await crowd.enter([None] * CLIENTS)
                    started, start_head = time.monotonic(), await head()
                    await asyncio.sleep(2)

                    first.kill()
                    await asyncio.to_thread(first.start)
                    await live_again("wiped")

                    await follow(two, first, password)
                    await two.execute_command("REPLICAOF", "NO", "ONE")
                    await asyncio.sleep(3)  # it is three seconds old when it takes over
                    proxy.move(HOST, other.port)
                    await proxy.cut()
                    await live_again("replaced by an older replica")

                    await follow(one, other, password)
                    await one.execute_command("REPLICAOF", "NO", "ONE")
                    proxy.move(HOST, first.port)
                    await proxy.cut()
                    await live_again("moved")

                    seconds = time.monotonic() - started
                    enough.set()
                    produced = sum(await asyncio.gather(*load))
                    await until(lambda: _numbered(postgres, produced), 20)
                    await crowd.all_at(produced, 20)
                    report.append(f"{(produced - start_head) / seconds:.0f} events/s, {CLIENTS} clients")
                    report.append(str(crowd.counts()))
                finally:
                    enough.set()
                    await asyncio.gather(*load, return_exceptions=True)
                    await crowd.leave()
                    print("\n".join(report))
                    for client in (bus, one, two):
                        await client.aclose()
                    await postgres.close()
        assert (crowd.holes, crowd.doubles, crowd.unrecovered, len(crowd.epochs)) == (0, 0, 0, 1)
        assert not crowd.codes  # nobody was even disconnected
    finally:
        first.stop()
        other.stop()


async def _numbered(postgres: asyncpg.Connection, count: int) -> bool:
    query = "SELECT last_offset FROM feed_channels WHERE channel = 'community'"
    return bool(await postgres.fetchval(query) == count)
