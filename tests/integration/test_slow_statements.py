"""What is slow is told by its name and with its plan, and never with what was asked."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from structlog.testing import capture_logs

import config.db.database
import config.db.slow
from config.db.slow import SlowStatements, plan_of
from config.metrics import SLOW_STATEMENTS
from tests.support.gateway import until
from tests.support.ledger import Ledger, connection, ledger, query
from tests.support.plans import named_statements
from tests.support.stores import Database

SECRET = "ann@example.org"
TIMES = 5
SLOW = query("SELECT u.id, pg_sleep(0.01) FROM users AS u WHERE u.email = $1 AND length($2) > 0 LIMIT 1")


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Ledger]:
    async with ledger(database) as made:
        yield made


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowStatements:
    """This test's, which looks often."""
    made = SlowStatements()
    monkeypatch.setattr(config.db.database, "slow", made)
    monkeypatch.setattr(config.db.slow, "SLOW_LOOK_S", 0.02)
    return made


async def test_a_slow_statement_is_told_once_with_its_plan_and_without_its_values(
    books: Ledger, slow: SlowStatements
) -> None:
    """Each one counts. Seen failing with the plan of a statement with values, and without the bound
    on how often a line is written."""
    user = await books.user()
    address = await books.everything.fetchrow(query("SELECT email FROM users WHERE id = $1"), user)
    counted = SLOW_STATEMENTS.labels(SLOW.name)._value.get()
    with capture_logs() as lines:
        telling = asyncio.create_task(slow.run(books.everything.pool, 5))
        await asyncio.sleep(0)  # its bound holds
        for _ in range(TIMES):
            assert await books.everything.fetchrow(SLOW, address["email"], SECRET)
        await until(lambda: [line for line in lines if line["event"] == "slow_statement_plan"])
        telling.cancel()
    said = [line for line in lines if line["event"].startswith("slow")]
    assert [line["event"] for line in said] == ["slow_statement", "slow_statement_plan"]
    assert SLOW_STATEMENTS.labels(SLOW.name)._value.get() == counted + TIMES
    assert "$1" in said[1]["plan"]
    assert "users" in said[1]["plan"]
    assert SECRET not in str(lines)
    assert address["email"] not in str(lines)


async def test_a_plan_runs_nothing(books: Ledger, database: Database) -> None:
    """Not even of what writes, or waits. Seen failing with EXPLAIN ANALYZE."""
    user = await books.user()
    async with connection(database.superuser_url) as superuser:
        plan = await plan_of(superuser, "DELETE FROM users WHERE id = $1 AND pg_sleep(60) IS NOT NULL")
        assert plan.startswith("Delete on users")
        assert await superuser.fetchval("SELECT count(*) FROM users WHERE id = $1", user) == 1
        assert await superuser.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'explained%'") == 0


async def test_what_has_no_plan_is_told_without(books: Ledger, slow: SlowStatements) -> None:
    """And the next one is told all the same."""
    with capture_logs() as lines:
        telling = asyncio.create_task(slow.run(books.everything.pool, 5))
        await asyncio.sleep(0)
        slow.saw(query("SELECT nothing FROM nowhere"), 1.0)
        await until(lambda: [line for line in lines if line.get("plan", "").startswith("no plan")])
        slow.saw(SLOW._replace(name="another"), 1.0)
        await until(lambda: [line for line in lines if "users" in line.get("plan", "")])
        telling.cancel()


async def test_each_statement_of_the_product_has_a_plan(database: Database) -> None:
    """Whatever is slow can be told."""
    without = {}
    async with connection(database.superuser_url) as superuser:
        for name, sql in named_statements().items():
            if name.startswith(("api/migrations", "loadtest")) or not sql:
                continue
            try:
                await plan_of(superuser, sql)
            except asyncpg.PostgresError as error:
                without[name] = str(error)
    assert without == {}
