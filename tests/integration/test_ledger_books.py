"""The books bind everybody: what the application's role may not do, what not even the owner may, and the auditor."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.integration.test_payments_audit import PAYMENT_DEFECTS
from tests.support.ledger import Ledger, connection, ledger
from tests.support.stores import Database
from worker.books.audit import CHECKS, audit


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Ledger]:
    async with ledger(database) as made:
        yield made


async def test_the_application_role_owns_nothing_and_is_serializable(database: Database) -> None:
    async with connection(database.url) as app:
        owned = "SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole"
        assert await app.fetchval(owned) == 0
        assert await app.fetchval("SELECT count(*) FROM pg_proc WHERE proowner = current_user::regrole") == 0
        assert await app.fetchval("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user") is False
        assert await app.fetchval("SHOW transaction_isolation") == "serializable"
        assert await app.fetchval("SHOW synchronous_commit") == "on"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("CREATE TABLE public.mine (x int)")


async def test_log_workout_refuses_a_weaker_isolation(database: Database) -> None:
    """Defect seen failing: the check left out."""
    call = """SELECT log_workout(gen_random_uuid(), 'k', '', now(), 1, gen_random_uuid(), gen_random_uuid(),
        gen_random_uuid(), now(), '', '{}', 0, '{}', '{}', '{}', '{}', '{}')"""
    async with connection(database.url) as app:
        with pytest.raises(asyncpg.InvalidTransactionStateError):
            async with app.transaction(isolation="read_committed"):
                await app.fetch(call)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET amount = amount + 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "UPDATE ledger_transactions SET reason = 'gift'",
        "DELETE FROM ledger_transactions",
        "TRUNCATE ledger_transactions",
        "DELETE FROM accounts",
    ],
)
async def test_the_ledger_is_append_only(books: Ledger, database: Database, statement: str) -> None:
    """For the owner too. Defect seen failing: a trigger that refuses DELETE only."""
    await books.user()
    for url in (database.url, database.owner_url):
        async with connection(url) as somebody:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await somebody.execute(statement)


async def test_nobody_writes_to_the_books_but_their_function(books: Ledger, database: Database) -> None:
    """Defect seen failing: everything granted on balances and entries."""
    await books.user()
    async with connection(database.url) as app:
        for statement in (
            "UPDATE credit_balances SET credits = credits + 1",
            "INSERT INTO ledger_entries SELECT * FROM ledger_entries",
            "DELETE FROM workouts",
            "UPDATE activity_events SET data = '{}'",
            "UPDATE feed_positions SET body = '{}'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)
    one_sided = """INSERT INTO ledger_entries (transaction_id, account_id, amount, created_at)
        SELECT gen_random_uuid(), id, 5, now() FROM accounts WHERE kind = 'system' LIMIT 1"""
    async with connection(database.owner_url) as owner:
        with pytest.raises(asyncpg.CheckViolationError, match="add up to 0"):
            await owner.execute(one_sided)
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute("UPDATE credit_balances SET credits = -1")


# What to do to the books behind the triggers' back, and the checks that must say so.
DEFECTS = {
    "a wrong cent": (
        "UPDATE ledger_entries SET amount = amount + 1 WHERE version = 2",
        {"unbalanced_transaction", "wrong_balance", "broken_chain", "wrong_charge"},
    ),
    "an entry that is missing": (
        "DELETE FROM ledger_entries WHERE version = 2",
        {"unbalanced_transaction", "wrong_balance", "broken_chain", "wrong_charge"},
    ),
    "an orphan entry": (
        (
            "INSERT INTO ledger_entries (transaction_id, account_id, amount, created_at)"
            " SELECT gen_random_uuid(), id, 1, now() FROM accounts WHERE slug = 'welcome'"
        ),
        {"orphan_entry"},
    ),
    "an entry of nobody": (
        "UPDATE ledger_entries SET account_id = gen_random_uuid() WHERE version IS NULL",
        {"orphan_entry"},
    ),
    "a balance that was changed": (
        "UPDATE credit_balances SET credits = credits + 1 WHERE version > 0",
        {"wrong_balance"},
    ),
    "a version that was skipped": ("UPDATE credit_balances SET version = version + 1", {"broken_chain"}),
    "a balance_after that is wrong": (
        "UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE version = 1",
        {"broken_chain"},
    ),
    "a balance row that is missing": ("DELETE FROM credit_balances", {"account_without_balance", "broken_chain"}),
    "a charge that was not booked": (
        "UPDATE workouts SET charged = 24",
        {"wrong_charge"},
    ),
    "a charge for nothing": (
        "DELETE FROM workouts",
        {"charge_without_workout", "orphan_part", "wrong_day"},
    ),
    "a charge for another workout": (
        "UPDATE ledger_transactions SET workout_id = gen_random_uuid() WHERE reason = 'workout'",
        {"wrong_charge", "charge_without_workout"},
    ),
    "a workout without muscles": ("DELETE FROM workout_muscles", {"workout_in_parts"}),
    "an exercise that does not exist": (
        "UPDATE workout_exercises SET exercise_id = gen_random_uuid()",
        {"orphan_part", "wrong_best"},
    ),
    "an event that was never recorded": (
        "DELETE FROM activity_events",
        {"workout_without_event", "unknown_outbox_row"},
    ),
    "a high five that nobody sent": (
        "INSERT INTO high_five_counts (rendition_id, share, high_fives) VALUES (gen_random_uuid(), 0, 1)",
        {"wrong_high_fives"},
    ),
    "an outbox row that is missing": ("DELETE FROM outbox", {"lost_event"}),
    "an event that is due twice": (
        "INSERT INTO outbox (event_id, event_at, event) SELECT event_id, event_at, event FROM outbox",
        {"lost_event"},
    ),
    "a hole in a feed": (
        (
            "INSERT INTO feed_channels (namespace, channel, last_offset) VALUES ('musclemap', 'community', 2);"
            ' INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body)'
            " VALUES ('musclemap', 'community', 2, gen_random_uuid(), now(), '{}')"
        ),
        {"feed_with_holes"},
    ),
    "a position that refers to nothing": (
        (
            "INSERT INTO feed_channels (namespace, channel, last_offset)"
            " SELECT 'musclemap', 'profile:' || id, 1 FROM users;"
            ' INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, source)'
            " SELECT 'musclemap', 'profile:' || id, 1, gen_random_uuid(), now(), 7 FROM users"
        ),
        {"position_without_body"},
    ),
    "a day with a workout too many": (
        "UPDATE training_days SET workouts = workouts + 1",
        {"wrong_day", "wrong_progress"},
    ),
    "a day that is missing": (
        "DELETE FROM training_days",
        {"wrong_day", "wrong_progress", "wrong_streak"},
    ),
    "XP that nothing earned": ("UPDATE progress SET xp = xp + 100", {"wrong_progress"}),
    "a level too high": ("UPDATE progress SET level = level + 1", {"wrong_progress"}),
    "a day too many in a streak": ("UPDATE progress SET streak_days = streak_days + 1", {"wrong_streak"}),
    "a run of dates that were not": (
        "INSERT INTO streak_runs SELECT user_id, '2026-01-01', '2026-01-05', 5 FROM progress",
        {"wrong_streak"},
    ),
    "a best that was never lifted": ("UPDATE exercise_bests SET weight_kg = weight_kg + 1", {"wrong_best"}),
    "a challenge that was given away": (
        (
            "INSERT INTO user_challenges SELECT user_id, '2026-01-01', gen_random_uuid(), 1, 2, 0, NULL, now(), user_id"
            " FROM progress; UPDATE progress SET challenges = challenges + 1"
        ),
        {"wrong_challenge"},
    ),
    "a milestone that was not noted": ("DELETE FROM milestones", {"wrong_milestone"}),
    "a watermark above what a term has reached": (
        "UPDATE retention SET through = at - interval '89 days', days = 90",
        {"dropped_too_much"},
    ),
}


async def test_the_auditor_finds_nothing_in_sound_books(books: Ledger, database: Database) -> None:
    await books.log(await books.user(), "k")
    await books.log(await books.user(credit=0, trial_days=1), "k")
    async with connection(database.worker_url) as worker:
        assert await audit(worker) == []


async def test_the_auditor_finds_every_planted_defect(books: Ledger, database: Database) -> None:
    await books.log(await books.user(), "k")
    async with connection(database.superuser_url) as superuser:
        for name, (statement, expected) in DEFECTS.items():
            planted = superuser.transaction()
            await planted.start()
            await superuser.execute("SET LOCAL session_replication_role TO replica")  # triggers sleep
            await superuser.execute(statement)
            found = {finding.check for finding in await _findings(superuser)}
            await planted.rollback()
            assert found == expected, name
    shown = set().union(*(expected for _, expected in (*DEFECTS.values(), *PAYMENT_DEFECTS.values())))
    assert set(CHECKS) == shown


async def _findings(superuser: asyncpg.Connection) -> list[asyncpg.Record]:
    class Row:
        def __init__(self, check: str) -> None:
            self.check = check

    return [Row(name) for name, one in CHECKS.items() for _ in await superuser.fetch(one.sql, 20)]
