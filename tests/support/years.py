"""A database as years of use leave it, made once for a test run: 100,000 positions in the public feed, a user with
5,000 workouts, as many entries in the ledger and 99 sessions, 20,000 other channels, 12,000 events that wait."""

import asyncio
from pathlib import Path

import asyncpg

from loadtest.bench.years_fill import fill
from tests.support.stores import Database, TestStores


def make_years(stores: TestStores) -> Database:
    """Fills a new database; some six seconds."""
    database = stores.make_database()

    async def work() -> None:
        await fill(database.superuser_url, users=1_000, workouts=6_000, heavy=5_000)
        connection = await asyncpg.connect(database.superuser_url)
        try:
            for statement in Path(__file__).with_suffix(".sql").read_text("utf-8").split(";\n"):
                if statement.strip():
                    await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())
    return database
