"""The audit of what came since the last one finds what the audit of everything finds, and what came late below it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest

from config.ids import uuid7
from config.limits import AUDIT_LATE_S
from tests.integration.test_ledger_books import DEFECTS
from tests.support import forks
from tests.support.ledger import Ledger, connection, ledger
from tests.support.processes import Fleet
from tests.support.relay import eventually
from tests.support.stores import Database, environment
from worker.books.audit import WINDOW_CHECKS, Audit, audit_next

LATE = timedelta(seconds=AUDIT_LATE_S)
pytestmark = pytest.mark.timeout(120)

ALWAYS = (UUID(int=0), UUID(int=2**128 - 1), datetime(1, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
# Of everything the auditor also adds up each balance; of a window it holds it against the newest entry.
ALSO = {
    "wrong_balance": "broken_chain",
    "feed_with_holes": None,
    "account_without_balance": "account_without_balance",
    "wrong_high_fives": None,  # counted with everything alone
    "wrong_streak": None,
    "wrong_best": None,
    "wrong_challenge": None,
    "wrong_milestone": None,
}


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Ledger]:
    async with ledger(database) as made:
        yield made


async def test_a_window_shows_the_same_defects(books: Ledger, database: Database) -> None:
    """Each defect that the audit of everything is shown, but a hole in the feed of nobody. Failed with a chain that was
    not held against the balance."""
    await books.log(await books.user(), "k")
    async with connection(database.superuser_url) as superuser:
        assert await _found(superuser) == set()
        for name, (statement, expected) in DEFECTS.items():
            planted = superuser.transaction()
            await planted.start()
            await superuser.execute("SET LOCAL session_replication_role TO replica")  # triggers sleep
            await superuser.execute(statement)
            found = await _found(superuser)
            await planted.rollback()
            if name == "a charge for nothing":  # a day whose workouts are gone is of no window
                expected = expected - {"wrong_day"}
            assert found >= {ALSO.get(check, check) for check in expected} - {None}, name


async def _found(superuser: asyncpg.Connection) -> set[str]:
    return {name for name, one in WINDOW_CHECKS.items() if await superuser.fetch(one.sql, 20, *ALWAYS)}


async def test_a_hole_in_a_feed_of_the_window_is_found(books: Ledger, database: Database) -> None:
    user = await books.user()
    await books.log(user, "k")
    async with connection(database.superuser_url) as superuser:
        for channel in (f"user:{user}", "community"):
            planted = superuser.transaction()
            await planted.start()
            await superuser.execute(
                "INSERT INTO feed_channels (namespace, channel, last_offset) VALUES ('musclemap', $1, 1)", channel
            )
            assert await _found(superuser) == {"feed_with_holes"}, channel
            await planted.rollback()


def told(audit: Audit) -> dict[str, Any]:
    return {"kind": audit.kind, "findings": sorted({finding.check for finding in audit.findings})}


SOUND = {"kind": "window", "findings": []}


def later() -> datetime:
    """The time at which an audit reads up to now."""
    return datetime.now(UTC) + LATE


async def test_windows_follow_each_other_and_are_counted_again(books: Ledger, database: Database) -> None:
    """Failed against: a watermark alone (a row that came late was never seen); windows without a look at their ends."""
    async with connection(database.worker_url) as worker, connection(database.superuser_url) as superuser:
        await books.log(await books.user(), "k")
        assert told(await audit_next(worker, later())) == {"kind": "whole", "findings": []}  # the first
        for _ in range(2):
            await books.log(await books.user(), "k")
            late = uuid7(int(datetime.now(UTC).timestamp() * 1000) - 5)
            assert told(await audit_next(worker, later())) == SOUND
        assert await worker.fetchval("SELECT count(*) FROM audit_windows") == 3
        assert await worker.fetchval("SELECT min(workouts) FROM audit_windows") == 1

        await superuser.execute(  # belongs to a window that was audited
            "INSERT INTO ledger_transactions (id, account_id, reason, created_at) VALUES ($1, $1, 'x', now())", late
        )
        changed = {"kind": "window", "findings": ["window_changed"]}
        assert told(await audit_next(worker, later())) == changed
        assert told(await audit_next(worker, later())) == changed  # until it is mended
        whole = await audit_next(worker, later(), whole=True)
        assert told(whole) == {"kind": "whole", "findings": ["unbalanced_transaction", "window_changed"]}
        async with superuser.transaction():
            await superuser.execute("SET LOCAL session_replication_role TO replica")
            await superuser.execute("DELETE FROM ledger_transactions WHERE id = $1", late)
        assert told(await audit_next(worker, later())) == SOUND

        await worker.execute("DELETE FROM audit_windows WHERE through = (SELECT min(through) FROM audit_windows)")
        assert told(await audit_next(worker, later()))["findings"] == ["window_hole"]


async def test_an_audit_of_everything_puts_one_window_in_place_of_all(books: Ledger, database: Database) -> None:
    async with connection(database.worker_url) as worker:
        for _ in range(3):
            await books.log(await books.user(), "k")
            await audit_next(worker, later())
        assert told(await audit_next(worker, later(), whole=True)) == {"kind": "whole", "findings": []}
        assert await worker.fetchval("SELECT count(*) FROM audit_windows") == 1
        assert told(await audit_next(worker, later())) == SOUND


async def run(database: Database, *words: str) -> tuple[int, str]:
    done = await asyncio.to_thread(forks.run, "worker", *words, env=environment(**database.urls))
    return done.returncode, done.stdout + done.stderr


async def test_the_command_says_what_it_found_and_workers_tell_it(
    books: Ledger, database: Database, redis_url: str, tmp_path: Path
) -> None:
    """Failed against: exit code 0 with findings."""
    await books.log(await books.user(), "k")
    code, out = await run(database, "audit")
    assert (code, '"kind":"whole"' in out, '"findings":0' in out) == (0, True, True), out
    async with connection(database.superuser_url) as superuser:
        await superuser.execute("UPDATE credit_balances SET credits = credits + 1")
    code, out = await run(database, "audit", "--whole")
    assert code == 1
    assert '"check":"wrong_balance"' in out
    assert (await run(database, "--whole"))[0] == 2
    env = environment(**database.urls, REDIS_URL=redis_url)
    async with Fleet(env, tmp_path, roles=("worker",)) as fleet, httpx2.AsyncClient() as http:

        async def exposition() -> str:
            return (await http.get(fleet.worker.http("/metrics"))).text

        text = await eventually(exposition, lambda found: 'audit_findings{kind="whole"} 1.0' in found)
        assert 'audit_age_seconds{kind="window"} +Inf' in text


async def test_an_audit_without_a_database_is_not_sound() -> None:
    nowhere = Database.__new__(Database)
    nowhere.url = nowhere.worker_url = nowhere.owner_url = "postgresql://nobody@127.0.0.1:1/nothing"
    code, out = await run(nowhere, "audit")
    assert code == 2
    assert "Traceback" not in out
