"""What is over its term goes, nothing else does, and readers, the relay and the auditor go on over what is kept."""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from api.feed import rules
from api.feed.rules import community_feed, dashboard
from api.feed.service import Feeds
from config.ids import uuid7
from config.limits import AUDIT_LATE_S, FEED_STREAM_EVENTS
from config.redis import connect as connect_redis
from loadtest.bench.years_fill import fill
from rt.feed.positions import Position
from rt.feed.store import FeedStore
from rt.wire.channels import COMMUNITY
from tests.integration.test_beside_a_backup import SLOWEST_S, Training
from tests.integration.test_relay_backlog import lead, publishing
from tests.support.ledger import Ledger, connection, ledger
from tests.support.processes import Fleet
from tests.support.relay import append_event, eventually
from tests.support.stores import Database, TestStores, environment
from worker.books import audit as auditor
from worker.books.audit import Audit, audit_next
from worker.jobs import terms
from worker.jobs.runner import Outcome, run_slot
from worker.relay import renditions_of
from worker.retention import JOB_RUNS_DAYS, SNAPSHOTS_DAYS
from worker.store import RelayStore

pytestmark = pytest.mark.timeout(180)

WORKOUTS = 6_000
DAYS = 90
LATE = timedelta(seconds=AUDIT_LATE_S)


@pytest.fixture(scope="module")
def year(stores: TestStores) -> Iterator[Database]:
    """A year of a small community, to copy: 6,000 workouts, 500 of them somebody's."""
    made = stores.make_database()
    asyncio.run(fill(made.superuser_url, users=100, workouts=WORKOUTS, heavy=500))
    yield made
    stores.drop_database(made)


@pytest.fixture
def database(stores: TestStores, request: pytest.FixtureRequest) -> Iterator[Database]:
    """One of the test's own, with the year where it takes `books`."""
    like = request.getfixturevalue("year") if "books" in request.fixturenames else None
    made = stores.make_database(like)
    yield made
    stores.drop_database(made)


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Ledger]:
    """Of the year."""
    async with ledger(database) as made:
        yield made


def now() -> datetime:
    return datetime.now(UTC)


async def drop(books: Ledger) -> dict[str, int]:
    """What a round of the jobs drops, by kind."""
    dropped: dict[str, int] = {}
    for what, job in zip(terms.KINDS, terms.JOBS.values(), strict=True):
        slot = now()
        assert await run_slot(books.settings, job, slot, "test") is Outcome.DONE
        result = "SELECT result FROM job_runs WHERE job = $1 AND slot = $2"
        dropped[what] = await books.worker.fetchval(result, job.name, slot)
    return dropped


async def pages(books: Ledger, channel: Any) -> list[int]:
    """All offsets that pages of a feed tell, newest first; of a person's to that person."""
    reader = books.of(uuid.UUID(channel.owner)) if channel.owner else books.db
    seen: list[int] = []
    after = None
    while True:
        page = await Feeds(reader).page(channel, 100, after)
        seen += [rules.decode_position(one.cursor).offset for one in page.events]
        if not page.has_next:
            return seen
        after = page.events[-1].cursor


def found(audit: Audit) -> set[str]:
    return {finding.check for finding in audit.findings}


# The last but one of those that are over their term, numbered while a clock was wrong.
STRAY = """UPDATE stream_positions SET numbered_at = now() WHERE "offset" = (
  SELECT max("offset") - 1 FROM stream_positions
   WHERE numbered_at < date_trunc('month', (now() - interval '90 days') AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')"""


async def test_months_over_their_term_go_and_all_else_stays_dense(books: Ledger, database: Database) -> None:
    """A number that lies in a later month than it should is gone with its own. Seen failing with a page, and with an
    auditor, that go by the rows that are there."""
    async with connection(database.superuser_url) as owner:
        heavy = await owner.fetchval("SELECT id FROM users WHERE name = 'User 1'")
        await owner.execute(STRAY)
        dropped = await drop(books)
        gone = dropped["activity_events"]
        assert gone > WORKOUTS / 2
        assert dropped["stream_positions"] == gone - 1
        oldest = await owner.fetchval("SELECT min(created_at) FROM activity_events")
        assert oldest <= now() - timedelta(days=DAYS)
        assert oldest > now() - timedelta(days=DAYS + 31)
        head = WORKOUTS
        kept = list(range(head, gone, -1))
        assert len(kept) > FEED_STREAM_EVENTS
        assert await pages(books, community_feed()) == kept
        assert await pages(books, dashboard(heavy)) == list(range(500, 0, -1))
        assert await owner.fetchval("SELECT count(*) FROM workouts") == WORKOUTS
        epoch = await owner.fetchval("SELECT epoch FROM installation")
        below = await Feeds(books.db).page(community_feed(), 100, rules.cursor_of(Position(epoch, kept[-1])))
        assert (below.events, below.has_next, below.position.offset) == ((), False, head)
        assert await drop(books) == dict.fromkeys(dropped, 0)
        assert (await audit_next(owner, now(), whole=True)).findings == []


async def test_the_newest_events_stay_whatever_their_age(database: Database) -> None:
    """What a gateway promises to recover. Seen failing with `p_keep` left out of the condition: 417 were left."""
    await fill(database.superuser_url, users=20, workouts=1_300, heavy=100)
    async with ledger(database) as books:
        await drop(books)
        assert FEED_STREAM_EVENTS <= len(await pages(books, community_feed())) < 1_300
        async with connection(database.superuser_url) as app:
            with pytest.raises(asyncpg.InvalidParameterValueError):
                await app.execute("SELECT drop_streams(1, 999, 1)")
            with pytest.raises(asyncpg.InvalidParameterValueError):
                await app.execute("SELECT drop_events(7, 1, '{}', '{}', '{}')")


async def test_the_auditor_knows_what_was_dropped_and_misses_all_else(books: Ledger, database: Database) -> None:
    """Windows of months, some of them dropped whole and some in part. Seen failing with windows that keep their counts
    (`window_changed`), without the watermark in `workout_without_event`, and with a watermark that excuses everything
    (the event that was taken away above it was not missed)."""
    async with connection(database.superuser_url) as owner:
        for days in (300, 200, 130, 100, 95, 10, 0):
            assert found(await audit_next(owner, now() - timedelta(days=days) + LATE)) == set()
        before = await owner.fetchval("SELECT sum(events) FROM audit_windows")
        dropped = await drop(books)
        assert await owner.fetchval("SELECT sum(events) FROM audit_windows") == before - dropped["activity_events"]
        for name, statement, check in (
            ("an event", "DELETE FROM activity_events WHERE created_at > now() - interval '50 days'", "window_changed"),
            ("a workout's event", "DELETE FROM activity_events WHERE created_at > now() - interval '9 days'", ""),
            ("a position", 'DELETE FROM stream_positions WHERE "offset" = 5999', "feed_with_holes"),
            ("an owner's position", "DELETE FROM feed_positions WHERE channel LIKE 'user:%'", "position_without_body"),
            (
                "the newest",
                "UPDATE feed_channels SET dropped_through = 5500 WHERE channel = 'community'",
                "dropped_too_much",
            ),
        ):
            planted = owner.transaction(isolation="repeatable_read")
            await planted.start()
            await owner.execute(statement)
            checked = {one.check for one in await auditor._of_windows(owner, 100)}
            for one, query in auditor.CHECKS.items():
                checked |= {one for _ in await owner.fetch(query.sql, 1)}
            await planted.rollback()
            assert (check or "workout_without_event") in checked, (name, checked)
        for whole in (False, True, False):
            assert found(await audit_next(owner, now() + LATE, whole=whole)) == set()


class Between:
    """A connection on which something happens before each transaction that may write."""

    def __init__(self, connection: asyncpg.Connection, work: Callable[[], Awaitable[Any]]) -> None:
        self._connection = connection
        self._work = work

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncIterator[None]:
        if not options.get("readonly"):
            await self._work()
        async with self._connection.transaction(**options):
            yield


async def test_an_audit_notes_nothing_that_was_dropped_meanwhile(books: Ledger, database: Database) -> None:
    """A month goes between the counting and the noting. Seen failing without the second look at the watermark: the next
    audit found a window changed."""
    async with connection(database.superuser_url) as app:
        assert found(await audit_next(Between(app, lambda: drop(books)), now() + LATE)) == set()
        assert await app.fetchval("SELECT count(*) FROM audit_windows") == 0
        for _ in range(2):
            assert found(await audit_next(app, now() + LATE)) == set()


async def test_what_still_waits_for_the_relay_is_not_dropped(books: Ledger, database: Database) -> None:
    """Seen failing without the look into the outbox: an event that nobody knew of waited there."""
    async with connection(database.superuser_url) as owner:
        await owner.execute(
            "INSERT INTO outbox (event_id, event_at, event) SELECT id, created_at, '{}' FROM activity_events"
            " ORDER BY created_at LIMIT 1"
        )
        assert (await drop(books))["activity_events"] == 0
        await owner.execute("DELETE FROM outbox")
        assert (await drop(books))["activity_events"] > 0


async def test_nobody_waits_for_what_is_dropped(books: Ledger, database: Database) -> None:
    """Somebody reads the oldest month for long: workouts go on, the job gives way and comes back. Seen failing without
    the bound of its lock."""
    user = await books.user(credit=1_000_000)
    training = Training(books, user)
    async with training.going_on(), connection(database.superuser_url) as reader:
        oldest = "SELECT name FROM oldest_month('activity_events', 90)"
        async with reader.transaction():
            await reader.execute(f"LOCK TABLE {await reader.fetchval(oldest)} IN ACCESS SHARE MODE")
            started = time.monotonic()
            with pytest.raises(asyncpg.LockNotAvailableError):
                await drop(books)
            assert time.monotonic() - started < SLOWEST_S
            await training.more(20)
        assert (await drop(books))["activity_events"] > 0
        await training.more(20)
    assert max(training.took_s) < SLOWEST_S


async def test_the_relay_goes_on_over_what_is_kept(books: Ledger, database: Database, redis_url: str) -> None:
    """Numbers go on, a Redis that stood below what was dropped is filled with what is kept, and a `since` below that is
    not recovered. Seen failing with the events after what was dropped appended as if they came next."""
    store = RelayStore(books.worker)
    redis = connect_redis(redis_url)
    feeds = FeedStore(redis)
    try:
        async with connection(database.superuser_url) as app:
            await drop(books)
            dropped = await app.fetchval("SELECT dropped_through FROM feed_channels WHERE channel = 'community'")
            epoch = await store.epoch()
            await feeds.refill(COMMUNITY, epoch, 10, [(n, b'{"id":"x"}') for n in range(1, 11)])  # from before
            await app.execute("UPDATE feed_channels SET published_through = 10 WHERE channel = 'community'")
            lease = await lead(books.worker)
            async with publishing(store, redis, lease) as publisher:
                for number in range(3):
                    await append_event(app, number, uuid.uuid4())
                await publisher.offer(await store.number(lease, {}, renditions_of))
                head = await eventually(
                    lambda: feeds.head(COMMUNITY), lambda at: at is not None and at.offset == WORKOUTS + 3
                )
            assert head is not None
            late = await feeds.read(COMMUNITY, Position(epoch, dropped - 1))
            assert late is not None
            assert (late.recovered, late.events) == (False, [])
            told = await feeds.read(COMMUNITY, Position(epoch, dropped))
            assert told is not None
            assert told.recovered
            assert [offset for offset, _ in told.events] == list(range(dropped + 1, WORKOUTS + 4))
    finally:
        await redis.aclose()


async def test_the_worker_drops_and_says_so(books: Ledger, database: Database, redis_url: str, tmp_path: Path) -> None:
    """Seen failing with the job left out of the worker."""
    worker = Fleet(environment(**database.urls, REDIS_URL=redis_url), tmp_path, roles=("worker",))

    async def told() -> dict[str, float]:
        async with httpx2.AsyncClient() as http:
            text = (await http.get(worker.worker.http("/metrics"))).text
        return {name: float(value) for name, value in re.findall(r"^(retention_\S+) (\S+)$", text, re.MULTILINE)}

    async with worker:
        figures = await eventually(
            told,
            lambda figures: figures.get('retention_oldest_seconds{what="stream_positions"}', 1e9) < 122 * 86_400,
            40,
        )
        for what in ("activity_events", "stream_positions"):
            assert figures[f'retention_rows_dropped_total{{what="{what}"}}'] > WORKOUTS / 2
        figures = await eventually(
            told, lambda figures: figures.get('retention_oldest_seconds{what="sessions"}', 1e9) < 3 * 86_400
        )
    assert set((await drop(books)).values()) == {0}


async def test_sessions_go_some_time_after_their_end(database: Database) -> None:
    """Of people who never came back. Seen failing with a chore that looks at the end of revoked ones alone."""
    async with ledger(database) as books, connection(database.owner_url) as owner:
        user = await books.user()
        ends = {"long over": (-3, None), "over": (-1, None), "open": (5, None), "signed out": (5, -1), "ended": (5, -3)}
        ids = {}
        for name, (expires, revoked) in ends.items():
            ids[uuid7()] = name
            await owner.execute(
                "INSERT INTO sessions (id, user_id, created_at, expires_at, revoked_at, revoked_reason)"
                " VALUES ($1, $2, now(), now() + make_interval(days => $3), now() + make_interval(days => $4), $5)",
                *(list(ids)[-1], user, expires, revoked, None if revoked is None else "logout"),
            )
        await owner.execute(
            "INSERT INTO refresh_tokens (token_hash, session_id, generation, created_at, expires_at)"
            " SELECT sha256(id::text::bytea), id, 1, now(), expires_at FROM sessions"
        )
        assert (await drop(books))["sessions"] == 2
        left = {ids[row["id"]] for row in await owner.fetch("SELECT id FROM sessions")}
        assert left == {"over", "open", "signed out"}
        assert await owner.fetchval("SELECT count(*) FROM refresh_tokens") == 3


async def test_one_worker_drops_at_a_time(books: Ledger, database: Database) -> None:
    """Seen failing without the advisory lock."""
    async with connection(database.superuser_url) as app, app.transaction():
        await app.execute("SELECT pg_advisory_xact_lock(hashtext('musclemap.retention'))")
        waiting = asyncio.create_task(drop(books))
        await eventually(lambda: app.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"), bool)
        assert await app.fetchval("SELECT sum(rows) FROM retention") == 0
    assert (await waiting)["activity_events"] > 0
    async with connection(database.superuser_url) as owner:
        assert (await audit_next(owner, now(), whole=True)).findings == []


async def test_the_run_log_and_weeks_go_in_their_turn(database: Database) -> None:
    """Seen failing with weeks that go by when they were kept."""
    async with ledger(database) as books, connection(database.owner_url) as owner:
        for days in (0, JOB_RUNS_DAYS - 1, JOB_RUNS_DAYS + 1, 90):
            await owner.execute(
                "INSERT INTO job_runs (job, slot, worker, started) SELECT 'x', at, 'me', at"
                " FROM (SELECT now() - make_interval(days => $1)) AS s (at)",
                days,
            )
        for days in (0, SNAPSHOTS_DAYS - 1, SNAPSHOTS_DAYS + 1, 900):
            await owner.execute(
                "INSERT INTO leaderboard_snapshots SELECT today_in('UTC') - $1::int, 'XP', n, n, $2, 1, now()"
                " FROM generate_series(1, 100) AS n",
                *(days, uuid.uuid4()),
            )
        dropped = await drop(books)
        assert (dropped["job_runs"], dropped["leaderboard_snapshots"]) == (2, 200)
