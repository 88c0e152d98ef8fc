"""Row level security: what one asks of another's rows is answered as if there were none, whatever the way to the
server, and whoever had the connection before. Each statement: test_every_statement.py."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

import asyncpg
import pytest
from pydantic import SecretStr

from api.feed.rules import community_feed, dashboard
from api.feed.service import Feeds
from api.migrate import FOLDER, migrate
from config.db.database import Database, Transaction
from config.db.postgres import connect, make_pool
from config.db.queries import Query
from config.errors import RetryLater
from config.ids import uuid7
from config.settings import Settings
from rt.wire.channels import ChannelKind, profile_channel
from tests.integration.test_relay_backlog import lead
from tests.support.ledger import NOW, connection, ledger, query
from tests.support.pooler import pgbouncer
from tests.support.stores import Database as MadeDatabase
from tests.support.stores import TestStores
from worker.relay import renditions_of
from worker.store import RelayStore

USER, PROFILE = ChannelKind.USER, ChannelKind.PROFILE


# --- Which tables.


def listed() -> dict[str, str]:
    """The rule of each table that policies.sql names."""
    text = (FOLDER / "policies.sql").read_text("utf-8")
    return dict(re.findall(r"^  \('(\w+)', (.*?)\)[,;]?(?:  --.*)?$", text, re.MULTILINE))


async def test_each_table_has_a_rule_and_is_held_to_it(database: MadeDatabase) -> None:
    """FORCE, and three policies, of which no other role has one. Seen failing with a table that was added, with a rule
    for one that is none, and with ENABLE alone."""
    async with connection(database.superuser_url) as superuser:
        tables = await superuser.fetch(
            "SELECT relname, relrowsecurity AND relforcerowsecurity AS held, ARRAY("
            "  SELECT polroles::regrole[]::text FROM pg_policy WHERE polrelid = c.oid ORDER BY polname) AS policies"
            " FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition"
        )
    rules = listed()
    assert {row["relname"] for row in tables} == set(rules), "give each table a rule in policies.sql"
    bound = {name for name, rule in rules.items() if not rule.startswith("'none: ")}
    assert {row["relname"] for row in tables if row["held"]} == bound
    of_each = ["{musclemap_app}", "{musclemap_owner}", "{musclemap_worker}"]
    assert {tuple(row["policies"]) for row in tables if row["relname"] in bound} == {tuple(of_each)}


async def test_a_partition_is_read_by_its_table_alone(database: MadeDatabase) -> None:
    """Those that are made later too. Seen failing with a grant on all tables of the schema."""
    async with connection(database.owner_url) as owner:
        assert await owner.fetchval("SELECT make_month('activity_events', '2031-05-05')") == "made"
        open_ = await owner.fetch(
            "SELECT c.relname, r.rolname FROM pg_class AS c CROSS JOIN pg_roles AS r"
            " WHERE c.relispartition AND r.rolname IN ('musclemap_app', 'musclemap_worker')"
            " AND has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')"
        )
    assert open_ == []


async def test_a_second_migration_locks_no_table(database: MadeDatabase) -> None:
    """It finds every policy as it is, and makes anew what is not. Seen failing with policies that are dropped and made
    each time."""
    async with connection(database.superuser_url) as superuser:
        made = "SELECT polrelid::regclass::text || polname FROM pg_policy ORDER BY oid"
        before = await superuser.fetch(made)
        reader = superuser.transaction()
        await reader.start()
        await superuser.execute("LOCK TABLE users, workouts, outbox IN ACCESS SHARE MODE")
        async with asyncio.timeout(60):
            await migrate(database.settings)
        await reader.rollback()
        assert await superuser.fetch(made) == before
        of_users = await superuser.fetchval("SELECT min(polname) FROM pg_policy WHERE polrelid = 'users'::regclass")
        await superuser.execute(f"DROP POLICY {of_users} ON users")
        await superuser.execute("ALTER TABLE outbox NO FORCE ROW LEVEL SECURITY")
        await migrate(database.settings)
        assert sorted(await superuser.fetch(made)) == sorted(before)
        assert await superuser.fetchval("SELECT relforcerowsecurity FROM pg_class WHERE oid = 'outbox'::regclass")


async def test_the_api_and_the_worker_cannot_do_each_others_work(database: MadeDatabase) -> None:
    """Nor can either do the owner's. Seen failing with the grants of one role for both."""
    api_only = {"users", "sessions", "refresh_tokens", "activity_events", "outbox"}
    async with connection(database.superuser_url) as superuser:
        may = await superuser.fetch(
            "SELECT r.rolname, p.what, c.relname FROM pg_class AS c CROSS JOIN pg_roles AS r"
            " CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS p (what)"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND r.rolname IN ('musclemap_app', 'musclemap_worker') AND has_table_privilege(r.oid, c.oid, p.what)"
        )
        functions = await superuser.fetch(
            "SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef"
            " AND has_function_privilege('musclemap_app', p.oid, 'EXECUTE')"
            " AND has_function_privilege('musclemap_worker', p.oid, 'EXECUTE')"
        )
    assert functions == []
    of = {(row["rolname"], row["what"]): set[str]() for row in may}
    for row in may:
        of[row["rolname"], row["what"]].add(row["relname"])
    for what in ("INSERT", "UPDATE", "DELETE"):
        both = of.get(("musclemap_app", what), set()) & of.get(("musclemap_worker", what), set())
        assert both <= {"sessions", "proofs"}, what  # retention drops those that are over
    assert of["musclemap_app", "INSERT"] >= api_only
    assert not of["musclemap_worker", "INSERT"] & api_only
    assert not of["musclemap_app", "SELECT"] & {"outbox", "leases", "audits", "audit_windows", "accounts"}
    async with connection(database.worker_url) as worker:
        for column in ("email", "password_hash"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await worker.fetch(f"SELECT {column} FROM users")  # noqa: S608 - one of two words
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await worker.fetch("SELECT token_hash FROM refresh_tokens")


async def test_a_feed_is_its_owners_and_a_profile_its_followers(database: MadeDatabase) -> None:
    """To all others it is one that never had an event, by the page and by the tables. Seen failing with requests that
    count as followers, with a page that asks nobody, and with one that takes every user's feed for one's own."""
    async with ledger(database) as books:
        ada, follower, requested, stranger = [await books.user() for _ in range(4)]
        await books.log(ada, "k")
        lease, store = await lead(books.worker), RelayStore(books.worker)
        assert (await store.number(lease, {}, renditions_of)).events
        async with connection(database.owner_url) as owner:
            for other, state in ((follower, "following"), (requested, "requested")):
                await owner.execute("INSERT INTO follows VALUES ($1, $2, $3, now())", other, ada, state)
            seen = {}
            for audience in ("everyone", "nobody"):
                await owner.execute("UPDATE users SET audience = $2 WHERE id = $1", ada, audience)
                for channel in (dashboard(ada), profile_channel(str(ada))):
                    for who in (ada, follower, requested, stranger, None):
                        db = books.db.of(who)
                        page = await Feeds(db).page(channel)
                        rows = await db.fetch(query("SELECT FROM feed_positions WHERE channel = $1"), channel.name)
                        heads = await db.fetch(query("SELECT FROM feed_channels WHERE channel = $1"), channel.name)
                        assert len(page.events) == page.position.offset == len(rows)
                        assert bool(rows) == bool(heads)
                        seen[audience, channel.kind, who] = len(rows)
            assert (await Feeds(books.of(stranger)).page(community_feed())).events
    assert {key for key, count in seen.items() if count} == {
        *((audience, kind, ada) for audience in ("everyone", "nobody") for kind in (USER, PROFILE)),
        ("everyone", PROFILE, follower),
    }


# --- Who had the connection before.

MINE: Final = query("SELECT DISTINCT user_id FROM workouts")
BROKEN: Final = query("SELECT 1 / (SELECT count(*) FROM workouts WHERE false)")
SLOW: Final = query("SELECT pg_sleep(5) FROM users")
WHO: Final = "SELECT coalesce(current_setting('musclemap.user_id', true), '')"
REQUESTS: Final = 300


@pytest.fixture(params=["directly", "through PgBouncer"])
async def shared(
    request: pytest.FixtureRequest, database: MadeDatabase, stores: TestStores, stores_folder: Any
) -> AsyncIterator[Database]:
    """A database whose requests share few connections with whoever comes next; of PgBouncer's one."""
    async with AsyncExitStack() as stack:
        url = database.url
        if request.param != "directly":
            there = pgbouncer(stores, database, stores_folder / f"pgbouncer-{uuid7()}", servers=1)
            url = stack.enter_context(there)["DATABASE_URL"]
        pool = make_pool(Settings(database_url=SecretStr(url), database_pool_min=1, database_pool_max=2))
        await connect(pool)
        stack.callback(pool.terminate)
        yield Database(pool)


async def test_whoever_comes_next_on_a_connection_is_not_who_was_before(
    shared: Database, database: MadeDatabase
) -> None:
    """Users and nobody at random, among them requests that fail, and that are cut off while a statement runs. Seen
    failing with SET for SET LOCAL, and with transactions of nobody that say nothing where a session says somebody."""
    async with ledger(database) as books:
        users = [await books.user() for _ in range(3)]
        for user in users:
            await books.log(user, "k")
    chance = random.Random(12)
    seen: list[str] = []

    async def request(number: int) -> None:
        who = chance.choice([*users, None])
        db = shared.for_request(who)
        match number % 10:
            case 0:
                with pytest.raises(asyncpg.DivisionByZeroError):
                    await db.fetch(BROKEN)
            case 1:
                with suppress(TimeoutError, RetryLater):
                    async with asyncio.timeout(0.03):
                        await db.fetch(SLOW)
            case 2:
                async with shared.pool.acquire() as connection:  # what begins without saying who asks is nobody's
                    if found := await connection.fetchval(WHO):
                        seen.append(f"nobody was {found}")
            case _:
                found = {row["user_id"] for row in await db.fetch(MINE)}
                if found != ({who} if who else set()):
                    seen.append(f"{who} saw {found}")

    for begin in range(0, REQUESTS, 6):
        await asyncio.gather(*(request(begin + n) for n in range(6)))
    assert not seen


async def test_a_session_that_is_somebodys_makes_nobody_somebody(shared: Database, database: MadeDatabase) -> None:
    """What another client of a pooler left on its connection. Seen failing with nothing said where nobody asks."""
    async with ledger(database) as books:
        user = await books.user()
        await books.log(user, "k")
    async with shared.pool.acquire() as connection:
        await connection.execute(f"SET musclemap.user_id TO '{user}'")
    assert [row["user_id"] for row in await shared.of(user).fetch(MINE)] == [user]
    for nobody in (shared, shared.for_request(None), shared.of(uuid7())):
        assert await nobody.fetch(MINE) == []


async def test_a_transaction_is_one_users(database: MadeDatabase) -> None:
    """Rows for another are refused, and so is becoming another. Seen failing with policies for SELECT alone."""
    async with ledger(database) as books:
        ann, bob = await books.user(), await books.user()
        insert = query("INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, now(), now())")
        move = query("UPDATE sessions SET user_id = $2 WHERE id = $1")
        session = uuid7()

        def work(statement: Query, *args: Any) -> Callable[[Transaction], Awaitable[None]]:
            return lambda tx: tx.execute(statement, *args)

        await books.of(ann).write(work(insert, session, ann))
        for statement, args in ((insert, (uuid7(), bob)), (move, (session, bob))):
            with pytest.raises(RetryLater):  # "refuses us": a defect that no user can cause
                await books.of(ann).write(work(statement, *args))
        with pytest.raises(asyncpg.InvalidParameterValueError):
            await books.of(ann).write(work(query("SELECT become($1)"), bob))
        with pytest.raises(ValueError, match="not who asks"):
            await books.workouts_of(bob).log(ann, books.workout(), "k", NOW)
