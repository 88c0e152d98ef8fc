"""What tests share and leave as it was: one gateway for those of a module, each with channels of its own; and one
database as years of use leave it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.gateway import MINT, Gateway, prepared, shared_fleet
from tests.support.processes import Fleet
from tests.support.stores import Database, TestStores
from tests.support.years import make_years


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


@pytest.fixture(scope="session")
def years(stores: TestStores) -> Iterator[Database]:
    """What tests write to it they roll back."""
    made = make_years(stores)
    yield made
    stores.drop_database(made)
