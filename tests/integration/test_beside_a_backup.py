"""A backup holds a lock on every table for as long as it reads: workouts, the relay, the job that makes partitions and
`make migrate` go on beside it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest

from api.migrate import FOLDER, MigrationError, migrate, migrations
from config.ids import uuid7
from config.settings import Settings
from tests.support.ledger import Ledger, connection, ledger
from tests.support.processes import Fleet
from tests.support.relay import eventually
from tests.support.stores import Database, environment

SLOWEST_S = 3.0
pytestmark = pytest.mark.timeout(120)

MONTHS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'activity_events'::regclass"


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Ledger]:
    async with ledger(database) as made:
        yield made


@asynccontextmanager
async def reading(database: Database, table: str = "") -> AsyncIterator[None]:
    """Somebody reads this table for long; without one all of them, as pg_dump begins: a snapshot, and ACCESS SHARE."""
    async with connection(database.superuser_url) as reader:
        tables = await reader.fetch(
            "SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p')"
        )
        names = table or ", ".join(row["name"] for row in tables)
        async with reader.transaction(isolation="repeatable_read", readonly=True):
            await reader.execute(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
            yield


class Training:
    """Somebody logs workouts one after the other; how long each took."""

    def __init__(self, books: Ledger, user: UUID) -> None:
        self._books = books
        self._user = user
        self.took_s: list[float] = []

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator["Training"]:
        stop = asyncio.Event()

        async def train() -> None:
            while not stop.is_set():
                started = time.monotonic()
                await self._books.log(self._user, str(uuid7()))
                self.took_s.append(time.monotonic() - started)
                await asyncio.sleep(0.02)

        task = asyncio.create_task(train())
        try:
            yield self
        finally:
            stop.set()
            await task

    async def more(self, count: int) -> None:
        """Returns when so many more were logged."""
        wanted = len(self.took_s) + count

        async def logged() -> int:
            return len(self.took_s)

        await eventually(logged, lambda size: size >= wanted, 60)


async def test_no_workout_waits_for_a_month_that_is_made_beside_a_backup(
    books: Ledger, database: Database, redis_url: str, tmp_path: Path
) -> None:
    """Seen failing with `CREATE TABLE … PARTITION OF` in the relay's term: no workout was logged while the backup ran,
    and none of those before it was numbered."""
    async with connection(database.owner_url) as owner:
        next_month = "SELECT 'activity_events_' || to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY_MM')"
        await owner.execute(f"DROP TABLE {await owner.fetchval(next_month)}")
        before = await owner.fetchval(MONTHS)
        training = Training(books, await books.user(credit=1_000_000))
        worker = Fleet(environment(**database.urls, REDIS_URL=redis_url), tmp_path, roles=("worker",))
        async with training.going_on():
            async with reading(database), worker:
                await training.more(50)
                await eventually(lambda: failed_rounds(worker), bool)
                logged = len(training.took_s)
                await eventually(lambda: numbered(owner), lambda count: count >= logged)
                await training.more(50)
                assert await owner.fetchval(MONTHS) == before  # the lock was not to be had
            async with worker:
                await eventually(lambda: owner.fetchval(MONTHS), lambda count: count > before)
    assert max(training.took_s) < SLOWEST_S


async def failed_rounds(worker: Fleet) -> float:
    async with httpx2.AsyncClient() as http:
        text = (await http.get(worker.worker.http("/metrics"))).text
    return sum(float(value) for value in re.findall(r'job_failures_total\{name="partitions"\} (\S+)', text))


async def numbered(owner: asyncpg.Connection) -> int:
    return int(
        await owner.fetchval("SELECT coalesce(sum(last_offset), 0) FROM feed_channels WHERE channel = 'community'")
    )


async def test_a_month_that_nobody_prepared_stops_no_workout(books: Ledger, database: Database) -> None:
    """Its events stay in the partition for all others, and later months are made all the same. Seen failing with that
    partition taken away."""
    async with connection(database.owner_url) as owner:
        await owner.execute("SELECT ensure_event_partitions('2026-11-01', 1)")
        await owner.execute("DROP TABLE activity_events_2026_11")  # that of the tests' clock
        await books.log(await books.user(), "k")
        where = "SELECT tableoid::regclass::text FROM activity_events"
        assert await owner.fetchval(where) == "activity_events_other"
        assert await owner.fetchval("SELECT make_month('activity_events', '2026-11-05')") == "begun"
        assert await owner.fetchval("SELECT make_month('activity_events', '2031-05-05')") == "made"
        assert await owner.fetchval("SELECT make_month('activity_events', '2031-05-31')") == "there"
        assert await owner.fetchval(where) == "activity_events_other"
        assert await owner.fetchval("SELECT ensure_event_partitions('2031-04-30', 3)") == 2


# In the order in which workouts lock them: in another, somebody always waits for both.
SLOW = """ALTER TABLE workouts ADD COLUMN planted integer;
SELECT pg_sleep(1.5);
ALTER TABLE activity_events ADD COLUMN planted integer;
"""


@pytest.mark.parametrize(
    ("held", "file"),
    [("", "ALTER TABLE workouts ADD COLUMN planted integer;\n"), ("activity_events", SLOW)],
    ids=["backup", "long reader"],
)
async def test_migrations_give_way_to_workouts(
    books: Ledger, database: Database, tmp_path: Path, held: str, file: str
) -> None:
    """Seen failing without `lock_timeout` (no workout for as long as the backup ran), and with 2 s for each statement
    of a file, one of which has locked what workouts need while the next one waits (3.5 s)."""
    folder = with_files(tmp_path, file)
    training = Training(books, await books.user(credit=1_000_000))
    async with training.going_on():
        async with reading(database, held), connection(database.superuser_url) as looking:
            migrating = asyncio.create_task(migrate(settings_of(database), folder))
            await eventually(lambda: waiting(looking), bool)
            await training.more(100)
            assert not migrating.done()
        assert "(1 applied now)" in await migrating
        await training.more(5)
    assert max(training.took_s) < SLOWEST_S
    async with connection(database.owner_url) as owner:
        assert await owner.fetchval("SELECT count(planted) FROM workouts") == 0


async def waiting(superuser: asyncpg.Connection) -> int:
    return int(
        await superuser.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'")
    )


async def test_an_index_that_was_left_half_made_is_made_again(
    books: Ledger, database: Database, tmp_path: Path
) -> None:
    """Statements outside a transaction, ended in the middle of the second by whoever ended the session. Seen failing
    with `IF NOT EXISTS` alone: the invalid index stayed."""
    folder = with_files(
        tmp_path,
        "-- outside a transaction\n"
        "CREATE INDEX CONCURRENTLY planted_a ON workouts (total_tu);\n"
        "CREATE INDEX CONCURRENTLY planted_b ON workouts (charged);\n",
    )
    user = await books.user(credit=1_000_000)
    await books.log(user, "k")
    valid = (
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indexrelid::regclass::text LIKE 'planted%'"
    )
    async with connection(database.superuser_url) as other, connection(database.superuser_url) as looking:
        writing = other.transaction()
        await writing.start()
        await other.execute("UPDATE workouts SET charged = charged")  # the index waits for whoever writes
        migrating = asyncio.create_task(migrate(settings_of(database), folder))

        async def builder() -> Any:
            return await looking.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY planted_a%'"
                " AND wait_event_type = 'Lock'"
            )

        pid = await eventually(builder, bool)
        await books.log(user, "meanwhile")
        await looking.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises((MigrationError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            await migrating
        assert dict(await looking.fetch(valid)) == {"planted_a": False}
        await writing.rollback()
        assert "(1 applied now)" in await migrate(settings_of(database), folder)
        assert dict(await looking.fetch(valid)) == {"planted_a": True, "planted_b": True}
        assert "(0 applied now)" in await migrate(settings_of(database), folder)


async def test_an_index_of_months_is_made_month_by_month_while_the_relay_writes(
    database: Database, tmp_path: Path
) -> None:
    """Also of a month that comes meanwhile, and where a part was left half made. Seen failing with one CREATE INDEX
    for all (it waits for whoever writes, and all others behind it), and with parts that are not attached."""
    planted = "CREATE INDEX CONCURRENTLY stream_positions_planted ON stream_positions (event_at)"
    folder = with_files(tmp_path, f"-- outside a transaction\n{planted};\n")
    write = (
        "INSERT INTO stream_positions VALUES ('musclemap', 'community', $1, gen_random_uuid(), now(),"
        " now() + make_interval(months => $2), '{}')"
    )
    async with connection(database.superuser_url) as other, connection(database.superuser_url) as owner:
        await owner.execute(write, 1, 2)
        month = await owner.fetchval("SELECT tableoid::regclass::text FROM stream_positions")
        writing = other.transaction()
        await writing.start()
        await other.execute(f"LOCK TABLE {month} IN ROW EXCLUSIVE MODE")
        migrating = asyncio.create_task(migrate(settings_of(database), folder))

        async def made() -> int:
            return int(await owner.fetchval(PARTS_MADE))

        await eventually(made, lambda count: count > 0)
        async with asyncio.timeout(SLOWEST_S):
            for number in range(2, 30):  # the month that somebody writes is waited for by nobody else
                await owner.execute(write, number, number % 6)
        assert await owner.fetchval("SELECT make_month('stream_positions', '2031-05-05')") == "made"
        await writing.commit()
        assert "(1 applied now)" in await migrating
        whole = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'stream_positions_planted'::regclass"
        assert await owner.fetchval(whole)
        parts = await owner.fetchval("SELECT count(*) FROM pg_inherits WHERE inhparent = 'stream_positions'::regclass")
        assert await made() == parts
        assert await owner.fetchval("SELECT make_month('stream_positions', '2031-06-05')") == "made"
        assert await made() == parts + 1
        assert "(0 applied now)" in await migrate(settings_of(database), folder)


PARTS_MADE = "SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass('stream_positions_planted')"


def settings_of(database: Database) -> Settings:
    return database.settings


def with_files(folder: Path, *texts: str) -> Path:
    """The product's files, and more behind them."""
    files = sorted(FOLDER.glob("*.sql"))
    for path in files:
        (folder / path.name).write_text(path.read_text("utf-8"), "utf-8")
    for number, text in enumerate(texts, len(migrations()) + 1):
        (folder / f"{number:04}_planted.sql").write_text(text, "utf-8")
    return folder
