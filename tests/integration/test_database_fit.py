"""A database that cannot hold what people write is refused, and one that changes under its statements is not."""

import secrets
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from config.db.database import Database, Transaction
from config.db.postgres import UnfitDatabaseError, connect, make_pool
from config.db.queries import Query
from config.embedded.postgres import OWNER, SUPERUSER
from config.settings import Settings
from tests.integration.test_migrate import run
from tests.support.gateway import until
from tests.support.ledger import connection
from tests.support.processes import Fleet, Service
from tests.support.stores import Database as MadeDatabase
from tests.support.stores import TestStores, environment

WAIT_S = 30


@pytest.fixture
async def ascii_database(stores: TestStores) -> AsyncIterator[str]:
    """What initdb makes where no locale is set."""
    name = f"ascii_{secrets.token_hex(4)}"
    async with connection(stores.postgres.url(SUPERUSER, "postgres")) as superuser:
        await superuser.execute(
            f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'"
        )
        yield name
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


def has_ended(service: Service) -> bool:
    return not service.running


async def test_an_encoding_that_keeps_bytes_is_refused(
    stores: TestStores, redis_url: str, ascii_database: str, tmp_path: Path
) -> None:
    """SQL_ASCII takes any bytes, counts them as characters, and finds no letter's other case. Seen failing with a
    database that was migrated and served."""
    made = MadeDatabase(stores.postgres, ascii_database)
    code, out, err = await run(made.url, made.owner_url, made.worker_url)
    assert (code, out) == (1, "")
    assert err.startswith("migrate: the database is in SQL_ASCII, and names and notes need UTF8: make one with CREATE")
    urls = environment(**made.urls, REDIS_URL=redis_url)
    fleet = Fleet(urls, tmp_path, roles=("api", "worker"))
    try:
        for service in fleet.services.values():
            service.launch()
        for service in fleet.services.values():
            await until(partial(has_ended, service), WAIT_S)
            assert "the database is in SQL_ASCII" in service.tail()
    finally:
        fleet.clean_up()
    with pytest.raises(UnfitDatabaseError, match="TEMPLATE template0 ENCODING 'UTF8'"):
        await connect(make_pool(Settings(database_url=urls["DATABASE_URL"])))


READ = Query("probe_read", "SELECT * FROM probe", lambda _: None)
WRITE = Query("probe_write", "INSERT INTO probe VALUES (1) RETURNING *", lambda _: None)


async def test_a_migration_under_prepared_statements_is_not_noticed(database: MadeDatabase) -> None:
    """A plan whose columns have changed is prepared anew. Seen failing with `cached statement plan is invalid due to a
    database schema or configuration change`, which was INTERNAL, and ended whoever did not expect it."""
    pool = make_pool(Settings(database_url=database.url, database_pool_max=2))
    await connect(pool)
    db = Database(pool)
    async with connection(database.owner_url) as owner:
        await owner.execute("CREATE TABLE probe (a integer); GRANT ALL ON probe TO musclemap_app")

        async def write(tx: Transaction) -> int:
            row = await tx.fetchrow(WRITE)
            return len(row)

        for columns in range(1, 4):
            assert await db.write(write) == columns
            assert {len(row) for row in await db.fetch(READ)} == {columns}
            await owner.execute(f"ALTER TABLE probe ADD COLUMN b{columns} text")
        assert {len(row) for row in await db.fetch(READ)} == {4}
    pool.terminate()
