"""One server for all apps of this folder, each with a namespace of its own."""

import asyncio
from collections.abc import Iterator

import pytest

from config.redis import connect
from tests.support.app_server import AppServer
from tests.support.processes import Fleet
from tests.support.stores import TestStores


@pytest.fixture(scope="package")
def server(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """Gateway, API and worker over a database of their own and an emptied Redis."""
    database = stores.make_database()
    env = stores.environment() | database.urls
    settings = {"RT_PROCESSES": "1", "ALLOWED_ORIGINS": "https://app.example"}
    fleet = Fleet(env, tmp_path_factory.mktemp("apps"), settings=settings)

    async def start() -> None:
        async with connect(stores.redis_url) as redis:
            await redis.flushall()
        for service in fleet.services.values():
            service.launch()
        for service in fleet.services.values():
            await service.wait_ready()

    try:
        asyncio.run(start())
        yield AppServer(fleet, database)
    finally:
        fleet.clean_up()
        stores.drop_database(database)
