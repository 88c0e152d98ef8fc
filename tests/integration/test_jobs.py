"""Jobs by one worker: what each does, and that a slot is done once, goes on where it was left, and is retried."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from config.db.database import Transaction
from config.settings import Settings
from tests.support.athletes import athletes, somebody
from tests.support.ledger import connection, ledger, query
from tests.support.relay import eventually
from tests.support.stores import Database
from worker.jobs import runner, store
from worker.jobs.every import JOBS
from worker.jobs.job import Batch, Job, Turn
from worker.jobs.leaderboards import monday
from worker.jobs.runner import Outcome, Runner, run_slot
from worker.schedule import SCHEDULE

pytestmark = pytest.mark.timeout(120)

UNKNOWN = "Nowhere/Land"
SLOT = datetime(2026, 11, 23, 12, 31, tzinfo=UTC)  # a Monday


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Above all grants and policies."""
    async with connection(database.superuser_url) as made:
        yield made


@pytest.fixture
def settings(database: Database) -> Settings:
    return database.settings


async def once(settings: Settings, name: str, slot: datetime = SLOT) -> Outcome:
    return await run_slot(settings, JOBS[name], slot, "me")


async def log_of(owner: asyncpg.Connection, job: str) -> list[Any]:
    rows: list[Any] = await owner.fetch("SELECT * FROM job_runs WHERE job = $1 ORDER BY slot", job)
    return rows


async def test_a_streak_ends_when_its_owners_midnight_has_passed(owner: asyncpg.Connection, settings: Settings) -> None:
    """Of people in zones 26 hours apart, whose last date is each of the last four; and of one in a zone that PostgreSQL
    does not know. Seen failing with the date in UTC for everybody."""
    zones = ("Pacific/Kiritimati", "Asia/Kolkata", "UTC", "America/Los_Angeles", "Etc/GMT+12", UNKNOWN)
    now = await owner.fetchval("SELECT now()")
    expected = {}
    for number, (zone, back) in enumerate((zone, back) for zone in zones for back in range(4)):
        user = await somebody(owner, number, zone=zone)
        today = now.astimezone(ZoneInfo("UTC" if zone == UNKNOWN else zone)).date()
        await owner.execute(
            "UPDATE progress SET streak_days = 5, streak_last = $2 WHERE user_id = $1",
            *(user, today - timedelta(days=back)),
        )
        expected[user] = back > 1
    assert await once(settings, "streaks") is Outcome.DONE
    over = {row[0]: row[1] for row in await owner.fetch("SELECT user_id, streak_over = streak_last FROM progress")}
    assert {user: bool(is_over) for user, is_over in over.items()} == expected
    assert [row["result"] for row in await log_of(owner, "streaks")] == [sum(expected.values())]
    assert await owner.fetchval("SELECT min(streak_days) FROM progress") == 5  # a late workout may mend it
    assert await once(settings, "streaks", SLOT + timedelta(hours=1)) is Outcome.DONE
    assert (await log_of(owner, "streaks"))[-1]["result"] == 0


async def test_a_workout_that_moves_the_date_is_a_streak_again(owner: asyncpg.Connection, settings: Settings) -> None:
    """Of the view of streaks, too: who has none is in no list. Seen failing with a mark that is a boolean."""
    user = await somebody(owner, 1)
    today = await owner.fetchval("SELECT today_in('UTC')")
    await owner.execute(
        "UPDATE progress SET xp = 1, streak_days = 5, streak_last = $2 WHERE user_id = $1",
        *(user, today - timedelta(days=3)),
    )

    async def rank(number: int) -> int | None:
        slot = SLOT + timedelta(hours=number)
        assert await once(settings, "streaks", slot) is Outcome.DONE
        assert await once(settings, "leaderboards", slot) is Outcome.DONE
        found: int | None = await owner.fetchval("SELECT rank FROM leaderboard_top(9) WHERE user_id = $1", user)
        return found

    assert await rank(1) is None
    await owner.execute("UPDATE progress SET streak_days = 8, streak_last = $1", today)
    assert await rank(2) == 1
    assert await owner.fetchval("SELECT score FROM leaderboard_top(9)") == 8


async def test_rivals_are_scored_by_what_each_has_gained(
    owner: asyncpg.Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches of two pairs. Seen failing with the XP itself."""
    monkeypatch.setattr("worker.jobs.rivals.RIVALS_LOOKED_AT", 2)
    users = await athletes(owner, 4)
    for one in users:
        for other in users:
            if one != other:
                assert await owner.fetchval("SELECT add_rival($1, $2, now(), 10)", one, other) == "added"
    await owner.execute("UPDATE progress SET xp = xp + 100 WHERE user_id = $1", users[0])
    assert await once(settings, "rivals") is Outcome.DONE
    scores = await owner.fetch("SELECT user_id, rival_id, my_score, their_score FROM rivals")
    for row in scores:
        assert row["my_score"] == (100 if row["user_id"] == users[0] else 0)
        assert row["their_score"] == (100 if row["rival_id"] == users[0] else 0)
    assert [row["result"] for row in await log_of(owner, "rivals")] == [6]


async def test_a_week_is_kept_as_it_was_trained(owner: asyncpg.Connection, settings: Settings) -> None:
    """The last week when it is over, with what came late; again, in its place. Seen failing with the week of the
    slot, and with two rows for a place."""
    users = await athletes(owner, 150)
    await owner.execute("DELETE FROM training_days")
    week = monday(SLOT) - timedelta(days=7)
    await owner.execute(
        "INSERT INTO training_days SELECT id, $1::date + (n % 9)::int - 1, 1, n, n / 2.0 FROM unnest($2::uuid[])"
        " WITH ORDINALITY AS u (id, n)",
        *(week, users),
    )
    assert await once(settings, "leaderboards") is Outcome.DONE
    for number in range(2):
        assert await once(settings, "last-week", SLOT + timedelta(seconds=number)) is Outcome.DONE
    inside = [n for n in range(1, 151) if 0 <= n % 9 - 1 < 7]
    rows = await owner.fetch("SELECT * FROM leaderboard_snapshots WHERE board = 'XP' ORDER BY place")
    assert [(row["week"], row["place"], row["score"]) for row in rows] == [
        (week, place, score) for place, score in enumerate(sorted(inside, reverse=True)[:100], 1)
    ]
    boards = await owner.fetch("SELECT board, count(*) AS n FROM leaderboard_snapshots GROUP BY board")
    assert {row["board"]: row["n"] for row in boards} == {"XP": 100, "VOLUME": 100, "STREAK": 100}
    assert await once(settings, "week", SLOT.replace(hour=0, minute=21)) is Outcome.DONE
    assert await owner.fetchval("SELECT count(DISTINCT week) FROM leaderboard_snapshots") == 1


async def test_months_are_made_ahead_and_whoever_reads_is_not_in_the_way(
    owner: asyncpg.Connection, settings: Settings
) -> None:
    """A job that cannot have its lock fails, and is done when it can. Seen failing with an error that the job keeps."""
    await owner.execute(
        "DROP TABLE "
        + await owner.fetchval(
            "SELECT 'activity_events_' || to_char(now() AT TIME ZONE 'UTC' + interval '5 months', 'YYYY_MM')"
        )
    )
    async with owner.transaction():
        await owner.execute("LOCK TABLE activity_events_other IN ACCESS SHARE MODE")
        with pytest.raises((asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)):
            await once(settings, "partitions")
    assert await once(settings, "partitions") is Outcome.DONE
    assert [(row["result"], row["place"]) for row in await log_of(owner, "partitions")] == [(1, None)]


class Steps:
    """A job of batches that notes each in a table, and fails where it is told to."""

    def __init__(self, batches: int) -> None:
        self.batches = batches
        self.fail_at: int | None = None
        self.meanwhile: asyncio.Event | None = None
        self.begun = asyncio.Event()
        self.job = Job("steps", SCHEDULE["streaks"], self._work)

    async def _work(self, tx: Transaction, turn: Turn) -> Batch:
        step = int(turn.place or 0)
        await tx.execute(query("INSERT INTO steps (slot, step) VALUES ($1, $2)"), turn.slot, step)
        self.begun.set()
        if self.meanwhile is not None:
            await self.meanwhile.wait()
        if step == self.fail_at:
            raise KeyError("a defect")
        return Batch(1, str(step + 1) if step + 1 < self.batches else None)


@pytest.fixture
async def steps(owner: asyncpg.Connection) -> Steps:
    await owner.execute("CREATE TABLE steps (slot timestamptz, step int); GRANT ALL ON steps TO PUBLIC")
    return Steps(4)


async def taken(owner: asyncpg.Connection) -> list[int]:
    return [row["step"] for row in await owner.fetch("SELECT step FROM steps ORDER BY step")]


async def test_a_slot_that_failed_goes_on_where_it_was(
    owner: asyncpg.Connection, settings: Settings, steps: Steps
) -> None:
    """Nothing of the batch that failed is left. Seen failing without the transaction."""
    steps.fail_at = 2
    with pytest.raises(KeyError):
        await run_slot(settings, steps.job, SLOT, "a")
    assert await taken(owner) == [0, 1]
    (left,) = await log_of(owner, "steps")
    assert (left["place"], left["finished"], left["result"]) == ("2", None, 2)
    steps.fail_at = None
    assert await run_slot(settings, steps.job, SLOT, "b") is Outcome.DONE
    assert await taken(owner) == [0, 1, 2, 3]
    (done,) = await log_of(owner, "steps")
    assert (done["result"], done["worker"], done["place"]) == (4, "b", None)
    assert done["took"] > timedelta()
    assert await run_slot(settings, steps.job, SLOT, "b") is Outcome.OVER
    assert await run_slot(settings, steps.job, SLOT - timedelta(hours=1), "b") is Outcome.OVER
    assert await taken(owner) == [0, 1, 2, 3]


async def test_nobody_else_is_at_it_meanwhile(owner: asyncpg.Connection, settings: Settings, steps: Steps) -> None:
    """And who looked before the other was done does not do it again. Seen failing without the advisory lock (both were
    done), and with the lock and the look in one statement (the second did it again, by its older snapshot)."""
    steps.meanwhile = asyncio.Event()
    first = asyncio.create_task(run_slot(settings, steps.job, SLOT, "a"))
    await steps.begun.wait()
    assert await run_slot(settings, steps.job, SLOT, "b") is Outcome.BUSY
    steps.meanwhile.set()
    assert await first is Outcome.DONE
    slots = [SLOT + timedelta(hours=n) for n in range(1, 9)]
    outcomes = await asyncio.gather(
        *(run_slot(settings, steps.job, slot, f"w{n}") for slot in slots for n in range(2)), return_exceptions=True
    )
    assert all(isinstance(one, Outcome) for one in outcomes), outcomes
    counts = await owner.fetch("SELECT slot, step, count(*) AS n FROM steps GROUP BY slot, step")
    assert {row["n"] for row in counts} == {1}


async def test_a_runner_notes_what_fails_and_tries_again(
    database: Database, owner: asyncpg.Connection, settings: Settings, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect ends no task: it is noted, rests, and the job is done when it is mended. Seen failing without a rest."""
    monkeypatch.setattr("worker.schedule.AGAIN_S", (1, 2))
    monkeypatch.setattr(runner, "JOBS_LOOK_S", 0.05)
    steps.fail_at = 1

    async def logged() -> list[Any]:
        return await log_of(owner, "steps")

    async with ledger(database) as books:
        running = asyncio.create_task(Runner(books.worker, settings, {"steps": steps.job}).run())
        try:
            rows = await eventually(logged, lambda rows: bool(rows) and rows[-1]["failures"] >= 2)
            assert rows[-1]["again"] is not None
            assert rows[-1]["error"] == "KeyError"
            assert not running.done()
            steps.fail_at = None
            await eventually(logged, lambda rows: rows[-1]["finished"] is not None)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    (done,) = await log_of(owner, "steps")
    assert (done["failures"], done["error"], done["again"], done["result"]) == (0, None, None, 4)
    assert await taken(owner) == [0, 1, 2, 3]


async def test_after_a_night_each_job_runs_once(
    database: Database, owner: asyncpg.Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every job was done yesterday. Seen failing with slots that are made up one after the other."""
    monkeypatch.setattr(runner, "JOBS_LOOK_S", 0.05)
    await athletes(owner, 50)
    await owner.execute(
        "INSERT INTO job_runs (job, slot, worker, started, finished)"
        " SELECT job, now() - interval '9 days', 'then', now() - interval '9 days', now() - interval '9 days'"
        " FROM unnest($1::text[]) AS job",
        list(JOBS),
    )
    new = "SELECT job, count(*) FROM job_runs WHERE worker <> 'then' AND finished IS NOT NULL GROUP BY job"
    looks: list[Any] = []
    look = store.look

    async def counted(tx: Transaction, jobs: Mapping[str, Job]) -> Any:
        looks.append(jobs)
        return await look(tx, jobs)

    async def looked() -> int:
        return len(looks)

    monkeypatch.setattr(store, "look", counted)
    async with ledger(database) as books:
        running = asyncio.create_task(Runner(books.worker, settings, JOBS).run())
        try:
            await eventually(lambda: owner.fetch(new), lambda rows: len(rows) == len(JOBS))
            wanted = len(looks) + 5  # for whoever would go on
            await eventually(looked, lambda count: count >= wanted)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    counts = {row["job"]: row["count"] for row in await owner.fetch(new)}
    assert set(counts) == set(JOBS)
    assert all(n <= 2 for n in counts.values()), counts  # 2: a slot of its own came meanwhile
    slots = await owner.fetch("SELECT job, slot FROM job_runs WHERE worker <> 'then'")
    now = await owner.fetchval("SELECT now()")
    assert all(now - row["slot"] < JOBS[row["job"]].schedule.every + timedelta(minutes=1) for row in slots)
