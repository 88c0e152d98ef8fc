"""An API, a worker and two gateways, all of whose ways to Redis lead through a proxy."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from websockets.asyncio.client import connect

from config.embedded.ports import free_port
from tests.support.gateway import Talk
from tests.support.people import Person
from tests.support.processes import Fleet, Service
from tests.support.proxy import Proxy
from tests.support.stores import Database, environment


@dataclass
class Cluster:
    """See the module."""

    fleet: Fleet
    second: Service
    proxy: Proxy
    client: httpx2.AsyncClient

    @property
    def gateways(self) -> tuple[Service, Service]:
        """Both."""
        return self.fleet.rt, self.second

    async def person(self) -> Person:
        """Somebody who has just signed up."""
        self.client.cookies.clear()
        return await Person(self.fleet.api.http("").rstrip("/"), self.client).sign_up()

    async def sign_out(self, person: Person) -> float:
        """Seconds until the API has answered."""
        began = time.monotonic()
        headers = {"authorization": f"Bearer {person.token}"}
        self.client.cookies.clear()
        answer = await self.client.post(self.fleet.api.http("/api/v1/auth/logout"), headers=headers)
        assert answer.status_code == 204
        return time.monotonic() - began

    async def lose_redis(self) -> None:
        """Until `proxy.refuse` is False again."""
        self.proxy.refuse = True
        await self.proxy.cut()


@asynccontextmanager
async def make_cluster(database: Database, redis_url: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Started, and ended with its context."""
    address = urlsplit(redis_url)
    assert address.hostname
    assert address.port
    proxy = Proxy(address.hostname, address.port)
    async with proxy.running():
        stores = environment(**database.urls, REDIS_URL=proxy.url(redis_url))
        settings = {"RT_PROCESSES": "1", "TICKET_SECRET": "x" * 32}
        fleet = Fleet(stores, tmp_path, roles=("rt", "api", "worker"), settings=settings)
        second = Service("rt", fleet.env | {"RT_PORT": str(free_port())}, tmp_path / "second")
        second.log.parent.mkdir()
        try:
            second.launch()
            async with fleet, httpx2.AsyncClient(timeout=20) as client:
                await second.wait_ready()
                yield Cluster(fleet, second, proxy, client)
        finally:
            second.clean_up()


@asynccontextmanager
async def socket(gateway: Service) -> AsyncIterator[Talk]:
    """An open socket that has said nothing yet."""
    async with connect(f"ws://127.0.0.1:{gateway.port}/ws", proxy=None) as made:
        yield Talk(made)
