"""One gateway for the tests of a module that leave it as it was; each uses channels of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.gateway import MINT, Gateway, prepared, shared_fleet
from tests.support.processes import Fleet
from tests.support.stores import TestStores


@pytest.fixture(scope="module")
def shared(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The gateway's process; a module may have one with other settings."""
    with shared_fleet(stores.redis_url, tmp_path_factory.mktemp("gateway")) as fleet:
        yield fleet


@pytest_asyncio.fixture
async def gate(shared: Fleet, stores: TestStores) -> AsyncIterator[Gateway]:
    """The gateway, with what API and relay keep in Redis put there."""
    async with prepared(stores.redis_url) as feeds:
        yield Gateway(shared, feeds, MINT)
