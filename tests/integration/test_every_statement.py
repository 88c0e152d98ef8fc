"""Every statement of the product, on a database as years leave it.

What it reads does not grow with the tables: it is explained with the plan that suits every parameter (PostgreSQL's
choice from the sixth call on) and with the one for these parameters. What one of the API says of another's rows is as
if there were none, directly and through PgBouncer.
"""

import re
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from config.ids import uuid7
from tests.support.ledger import connection
from tests.support.plan_apps import of_apps
from tests.support.plan_parameters import parameters
from tests.support.plans import ASKED_BY_FIRST, OWNERS, inline_statements, named_statements, pages_read
from tests.support.pooler import pgbouncer
from tests.support.stores import Database, TestStores

pytestmark = pytest.mark.timeout(300)  # the database is filled by the first test: some six seconds at rest

MODES: Final = ("force_generic_plan", "force_custom_plan")
PAGES_MAX: Final = 450  # buffers: of 8 KB; an index is three high here, and a page of a feed has 101 rows
# What reads more, and why it may.
MORE: Final = {
    "api/credits/queries.sql: ledger": 500,  # three rows of a person and, of each entry, its transaction
    "api/credits/queries.sql: open_account": 700,  # the first call of its functions in a session reads the catalog
    "api/highfives/queries.sql: send_high_five": 700,
    "api/highfives/queries.sql: tallies": 1_600,  # of each of 101 events eight shares, and the viewer's own
    "api/admin.sql: grant_credits": 1_600,  # and so do these two
    "api/entitlements/queries.sql: take_checkout": 1_200,  # 1,016 by the general plan: the catalog, once
    "worker/books/audit_window.sql: wrong_purchase": 1_000,  # some ten for each of the window's sessions
    "api/workouts/queries.sql: log_workout": 1_000,  # the first call of its functions in a session reads the catalog
    "api/challenges/queries.sql: join": 600,
    "api/challenges/queries.sql: workouts_of_week": 1_000,  # with the parts of each workout of a week, here 95
    "api/workouts/queries.sql: my_workouts": 1_000,  # with the parts of each of 101 workouts
    "api/accounts/queries.sql: displace_sessions": 2_500,  # ends 92 sessions, each in four indexes
    "api/channels/queries.sql: open_to": 2_000,  # a dozen looks for each of 100 owners: who they are to the viewer
    "api/community/queries.sql: profiles": 1_500,  # the same of 101 people, ...
    "api/community/queries.sql: people": 2_000,
    "api/community/queries.sql: named": 2_500,
    "api/community/queries.sql: follow": 800,  # the catalog, by the functions' first call in a session
    "api/feed/queries.sql: profile_page": 800,
    "api/feed/queries.sql: following_page": 5_000,  # 3.3 for each of a thousand who are followed
    "api/operators/queries.sql: waiting": 2_000,  # counts to RELAY_DEPTH_MAX rows of the outbox
    "api/apps/queries.sql: publish": 3_500,  # a hundred ids and channels, each in its indexes; the catalog
    "api/apps/queries.sql: history": 1_000,  # 10,000 positions, by their age, and a page of a thousand
    "worker/queries.sql: drop_app_event_ids": 60_000,  # APP_EVENT_IDS_ROWS of them, each found and deleted
    "worker/queries.sql: drop_ended_reads": 2_500,  # RETENTION_ROWS of them
    "worker/books/audit_window.sql: lost_event": 2_500,  # the outbox whole, and what came since the window
    "worker/books/audit_window.sql: unknown_outbox_row": 2_000,  # the outbox whole
    "worker/books/audit_window.sql: feed_with_holes": 1_500,  # what came since the window, here four days
    "api/privacy/queries.sql: workouts": 200_000,  # all 5,000 of a user with their parts, read page by page
    "api/privacy/queries.sql: ledger": 20_000,  # all entries
    "api/privacy/queries.sql: erase_user": 9_000,  # all 44 workouts of a user with their 500 parts, and the indexes
    "api/privacy/queries.sql: events": 2_500,  # and all their events
    "api/privacy/queries.sql: high_fives": 7_000,  # all 2,000 of a user, each with a look at the user
    "api/progress/queries.sql: achieved": 2_000,  # of 101 people, as their profiles
    "worker/jobs/queries.sql: assign_challenges": 5_000,  # a batch: 200 people, three rows each
    "worker/jobs/queries.sql: keep_week": 3_000,  # the days of all who trained in the week, here a thousand people
    "worker/queries.sql: drop_ended_sessions_of_nobody": 2_500,  # RETENTION_ROWS of them
    "worker/queries.sql: drop_proofs": 2_500,
    "worker/queries.sql: claim": 2_000,  # some five for each of at most 400 rows: found, compared, deleted
    "worker/queries.sql: unpublished": 2_500,  # one for each channel that a page looks at
    "worker/queries.sql: outbox_depth": 1_500,  # counts to RELAY_DEPTH_MAX rows of the outbox
    "worker/books/audit_window.sql: position_without_body": 2_500,  # 50 and more of each of the window's people
    "worker/queries.sql: drop_events": 3_000,  # counts a month of events, whole
    "worker/queries.sql: drop_streams": 1_000,  # looks for the newest of each channel in a month, whole
    "worker/queries.sql: drop_high_fives": 10_000,  # RETENTION_ROWS of them, looked for in two tables, deleted
    "worker/queries.sql: drop_expired_sessions": 5_000,  # RETENTION_ROWS of them, with their tokens
    "worker/queries.sql: drop_ended_sessions": 5_000,
    "worker/queries.sql: stream_from": 1_800,  # looks at FEED_STREAM_EVENTS_MAX positions, once for a Redis that is new
    "api/standings/queries.sql: leaderboard_page": 2_000,  # audience and blocks of 101 people; the catalog, once
    "worker/jobs/queries.sql: end_streaks": 10_000,  # a batch: a thousand people here, nine of ten of them marked
    "worker/jobs/queries.sql: score_rivals": 60_000,  # a batch: two people each, and the pair is written
    "worker/jobs/queries.sql: refresh_leaderboards": 6_000,  # whole tables, and is meant to
    "worker/queries.sql: drop_job_runs": 5_000,  # RETENTION_ROWS of them
    "worker/queries.sql: drop_snapshots": 5_000,
    "worker/jobs/queries.sql: make_month": 2_500,  # makes a table, once a month: the catalog
    "worker/queries.sql: newest_positions": 5_000,  # 50 rows of each of 100 channels
}
# Read whole tables, and are meant to: the auditor's; or tables that do not grow with use.
WHOLE: Final = ("worker/books/audit.sql: ",)
# Statements in the code: of `make migrate`, of backups (the catalogue), of the embedded server, and the looks whether
# the server answers and is the one it seems.
INLINE: Final = {
    "api/backups.py",
    "api/ddl.py",
    "api/migrate.py",
    "config/embedded/postgres.py",
    "config/db/postgres.py",
    "config/db/replica.py",  # no table
}
# Statements of the API that are no look at a user's rows, and why that is right.
EVERYBODYS: Final = {
    "api/readiness.sql: newest_migration",
    "api/reference/queries.sql: all_muscles",
    "api/reference/queries.sql: all_equipment",
    "api/reference/queries.sql: all_exercises",
    "api/reference/queries.sql: all_activations",
    "api/reference/queries.sql: all_archetypes",
    "api/reference/queries.sql: all_achievements",
    "api/reference/queries.sql: all_challenges",
    "api/progress/queries.sql: time_zones",
    "api/flags/queries.sql: flags",
}
# What is said to whoever knows a secret, or has to be known of everybody.
PROOFS: Final = {
    "api/accounts/queries.sql: user_by_email": "sign-in: the password is compared with the hash that it tells",
    "api/accounts/queries.sql: lock_refresh_token": "whoever has the token is its user",
    "api/accounts/queries.sql: sessions_ended_since": "ids of sessions that have ended, for the gateways",
    "api/accounts/queries.sql: reading_ended_since": "who may not read whom any more, for the gateways",
    "api/accounts/queries.sql: audiences_since": "who may know of whose presence, for the gateways",
    "api/entitlements/queries.sql: take_checkout": "what the payment provider says, by a signature",
    "api/entitlements/queries.sql: take_refund": "the same",
    "api/entitlements/queries.sql: take_subscription": "the same",
    "api/entitlements/queries.sql: take_invoice": "the same",
    "api/highfives/queries.sql: tallies": "how many, to whoever reads the event; who, to nobody",
    "api/accounts/queries.sql: claim_mail": "what the API is to send next, whoever asked for it",
    "api/accounts/queries.sql: mail_done": "the same",
    "api/accounts/queries.sql: proof_kind": "what a link is for, to whoever has it",
    "api/privacy/queries.sql: erasures": "who is gone, for the API that looks at Redis",
    "api/admin.sql: act_for": "says who asks, as each transaction of the API does",
    **dict.fromkeys(of_apps(), "nothing of a user: by a server key, for gateways, or by whoever has a shell"),
}
# Who joins makes rows that are nobody's before.
JOINS: Final = {"api/credits/queries.sql: open_account", "api/accounts/queries.sql: insert_user"}
# A transaction of its own, which begins as nobody's: Database.call gives it no argument but the viewer.
IN_ITS_OWN: Final = {
    "api/workouts/queries.sql: log_workout",
    "api/highfives/queries.sql: send_high_five",
    "api/progress/queries.sql: set_time_zone",
    "api/standings/queries.sql: add_rival",
    "api/standings/queries.sql: remove_rival",
} | {
    f"api/community/queries.sql: {name}"
    for name in ("follow", "unfollow", "answer", "block", "unblock", "set_audience")
}
CHANGED: Final = (
    "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_xact_all_tables"
    " WHERE schemaname = 'public'"
)


@pytest.mark.parametrize("mode", MODES)
async def test_what_a_statement_reads_is_bounded(years: Database, mode: str) -> None:
    """Seen failing with `$3 IS NULL OR "offset" < $3` (8,608 pages of the feed's last page by the general plan), a
    ledger sorted whole (15,160), and channels searched for those that lack something (21,015 at 20,000 channels). Each
    as the role that runs it: policies let no condition into an index that could tell what it saw."""
    over = []
    async with (
        connection(years.owner_url) as owner,
        connection(years.url) as api,
        connection(years.worker_url) as worker,
    ):
        of = await parameters(owner)
        heavy = await owner.fetchval("SELECT id FROM users WHERE name = 'User 1'")
        await api.fetch("SELECT channel_page('musclemap', '', 1, 1)")  # the first call in a session reads the catalogue
        for name, sql in named_statements().items():
            role = worker if name.startswith("worker/") else owner if name.startswith(OWNERS) else api
            for args in of.get(name, ()):
                viewer = args[0] if name.startswith(ASKED_BY_FIRST) else heavy
                read = await pages_read(role, sql, args, mode, viewer)
                if read > MORE.get(name, PAGES_MAX):
                    over.append(f"{name} {str(args)[:120]}: {read} pages, at most {MORE.get(name, PAGES_MAX)}")
    assert not over, "\n".join(over)


async def test_every_statement_has_parameters_here(years: Database) -> None:
    """Seen failing with a statement added to api/feed/queries.sql, and with a SELECT in api/feed/service.py."""
    async with connection(years.owner_url) as owner:
        known = set(await parameters(owner))
    named = {name for name in named_statements() if not name.startswith(WHOLE)}
    assert named == known, f"give them parameters above, or drop them: {sorted(named ^ known)}"
    assert {file for file, _ in inline_statements()} == INLINE, "a statement belongs into a .sql file"


def ghostly(value: Any) -> Any:
    """The same argument about somebody who never was."""
    match value:
        case UUID():
            return uuid.uuid5(value, "ghost")
        case bytes():
            return bytes(byte ^ 0x55 for byte in value)
        case list():
            return [ghostly(one) for one in value]
        case str() if "@" in value:
            return f"ghost-{value}"
        case str():
            return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", lambda m: str(ghostly(UUID(m[0]))), value)
    return value


async def outcome(asking: asyncpg.Connection, who: UUID | None, sql: str, args: tuple[Any, ...]) -> tuple[str, int]:
    """What the statement says, rows or an error, and how many rows it changes; nothing of it stays."""
    transaction = asking.transaction(isolation="serializable")
    await transaction.start()
    try:
        await asking.execute(f"SET LOCAL musclemap.user_id TO '{who or ''}'")
        before = await asking.fetchval(CHANGED)
        try:
            said = str([tuple(row.values()) for row in await asking.fetch(sql, *args)])
        except asyncpg.PostgresError as error:
            return f"error {error.sqlstate}", 0
        return said, await asking.fetchval(CHANGED) - before
    finally:
        await transaction.rollback()


async def canaries(superuser: asyncpg.Connection, user: UUID) -> set[str]:
    """What only her rows have: ids, her address, her name."""
    found = {str(user), "u1@example.org", "User 1"}
    account = await superuser.fetchval("SELECT account_id FROM users WHERE id = $1", user)
    for table in ("sessions", "workouts"):
        rows = await superuser.fetch(f"SELECT id FROM {table} WHERE user_id = $1", user)  # noqa: S608 - see above
        found |= {str(row["id"]) for row in rows}
    return found | {str(account)}


@pytest.fixture(params=["directly", pytest.param("through PgBouncer", marks=pytest.mark.chaos)])
async def asking(
    request: pytest.FixtureRequest, years: Database, stores: TestStores, stores_folder: Any
) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the API's role."""
    if request.param == "directly":
        async with connection(years.url) as made:
            yield made
        return
    with pgbouncer(stores, years, stores_folder / f"pgbouncer-{uuid7()}", servers=1) as urls:
        made = await asyncpg.connect(urls["DATABASE_URL"], statement_cache_size=0)
        try:
            yield made
        finally:
            await made.close()


async def test_no_statement_sees_or_changes_what_is_anothers(years: Database, asking: asyncpg.Connection) -> None:
    """Each statement of the API, with the parameters by which its plans are judged: what it says about her to another
    user, and to nobody, it says about somebody who never was, and no row changes; to herself it says or does more. Seen
    failing without the policy of `workouts`, with one of `users` that is true, with `rivals_of` and `leaderboard_page`
    that believed whom they were told, and with an export that found no subscription of its own."""
    seen, blind = [], []
    async with connection(years.superuser_url) as superuser:
        of = await parameters(superuser)
        her = await superuser.fetchval("SELECT id FROM users WHERE name = 'User 1'")
        another = await superuser.fetchval("SELECT id FROM users WHERE name = 'User 2'")
        hers = await canaries(superuser, her)
        names = {name: sql for name, sql in named_statements().items() if name.startswith("api/")}
        for name, sql in names.items():
            for who in (another,) if name in IN_ITS_OWN else (another, None):
                for args in of[name]:
                    found = await outcome(asking, who, sql, args)
                    ghost = await outcome(asking, who, sql, tuple(map(ghostly, args)))
                    told = [word for word in hers if word in found[0] and word not in str(args)]
                    if name not in PROOFS and name not in JOINS and (found != ghost or told or found[1]):
                        seen.append(f"{name} as {who}: {str(found)[:200]}, of a ghost {str(ghost)[:200]}")
            if name not in EVERYBODYS | JOINS and name not in PROOFS and not name.startswith(OWNERS):
                by_first = name.startswith(ASKED_BY_FIRST)
                whose = [None if name in IN_ITS_OWN else args[0] if by_first else her for args in of[name]]
                own = [await outcome(asking, who, sql, args) for who, args in zip(whose, of[name], strict=True)]
                if all(rows == 0 and (said == "[]" or said.startswith("error")) for said, rows in own):
                    blind.append(f"{name}: {own}")
    assert not seen, "\n".join(seen)
    assert not blind, "to herself they say nothing, so this test does not see what they may say:\n" + "\n".join(blind)
