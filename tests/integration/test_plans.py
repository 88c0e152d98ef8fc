"""What a statement reads does not grow with the tables: each one is explained on a database as years leave it, with the
plan that suits every parameter (PostgreSQL's choice from the sixth call on) and with the one for these parameters."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from api.flags.rules import DEFAULTS
from api.privacy.rules import SECTIONS
from config.ids import uuid7
from config.limits import (
    AUDIT_WINDOWS_RECOUNTED,
    BLOCKS_MAX,
    CHANNELS_ENDED_MAX,
    ENDED_KEPT_S,
    FEED_LIST_EVENTS,
    FEED_STREAM_EVENTS,
    FEED_STREAM_EVENTS_MAX,
    FEED_STREAM_S,
    PAGE_MAX,
    RELAY_BATCH,
    RELAY_DEPTH_MAX,
    RELAY_PAGE,
    RELAY_REFILLS,
    REVOCATIONS_MAX,
)
from tests.support.ledger import connection
from tests.support.plans import inline_statements, named_statements, pages_read
from tests.support.stores import Database
from worker.books.audit import FINDINGS_PER_CHECK_MAX, WINDOW_CHECKS, lowest_id
from worker.jobs.every import JOBS
from worker.jobs.leaderboards import monday
from worker.jobs.rivals import RIVALS_LOOKED_AT
from worker.jobs.streaks import STREAKS_LOOKED_AT
from worker.retention import RETENTION_ROWS
from worker.store import RELAY_BATCH_BACKLOG, RELAY_OVERTAKING, RELAY_WALK

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
    "api/entitlements/queries.sql: take_checkout": 1_000,
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
    "worker/queries.sql: drop_ended_reads": 2_500,  # RETENTION_ROWS of them
    "worker/books/audit_window.sql: lost_event": 2_500,  # the outbox whole, and what came since the window
    "worker/books/audit_window.sql: unknown_outbox_row": 2_000,  # the outbox whole
    "worker/books/audit_window.sql: feed_with_holes": 1_500,  # what came since the window, here four days
    "api/privacy/queries.sql: workouts": 200_000,  # all 5,000 of a user with their parts, read page by page
    "api/privacy/queries.sql: ledger": 20_000,  # all entries
    "api/privacy/queries.sql: erase_user": 9_000,  # all 44 workouts of a user with their 500 parts, and the indexes
    "api/privacy/queries.sql: events": 2_500,  # and all their events
    "worker/queries.sql: drop_ended_sessions_of_nobody": 2_500,  # RETENTION_ROWS of them
    "worker/queries.sql: drop_proofs": 2_500,
    "worker/queries.sql: claim": 1_800,  # some five for each of at most 400 rows: found, compared, deleted
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
# Run by `make migrate` as the owner.
MIGRATING: Final = ("api/reference/queries.sql: upsert", "api/reference/queries.sql: delete")
HOUR: Final = timedelta(hours=1)
# Statements in the code: of `make migrate`, of backups (the catalogue), of the embedded server, and the looks whether
# the server answers and is the one it seems.
INLINE: Final = {
    "api/backups.py",
    "api/ddl.py",
    "api/migrate.py",
    "config/embedded/postgres.py",
    "config/db/postgres.py",
}

NOW: Final = datetime.now(UTC)
LATER: Final = NOW + timedelta(days=7)
HASH: Final = bytes(32)
MANY: Final = 2**53


async def parameters(app: asyncpg.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """For each statement the parameters of the pages that differ: the first, a deep one, the last."""
    heavy, account = await app.fetchrow("SELECT id, account_id FROM users WHERE name = 'User 1'")
    session, token = await app.fetchrow(
        "SELECT s.id, t.token_hash FROM sessions AS s JOIN refresh_tokens AS t ON t.session_id = s.id"
        " WHERE s.user_id = $1 AND s.revoked_at IS NULL AND t.generation = 1 ORDER BY s.id LIMIT 1",
        heavy,
    )
    other = await app.fetchval("SELECT id FROM users WHERE name = 'User 2'")
    workouts = await app.fetch("SELECT id, performed_at FROM workouts WHERE user_id = $1 ORDER BY performed_at", heavy)
    channels = [row["channel"] for row in await app.fetch("SELECT channel FROM feed_channels LIMIT $1", RELAY_REFILLS)]
    namespaces = ["musclemap"] * len(channels)
    ours = "musclemap"
    mine = f"user:{heavy}"
    positions = [
        (ours, channel, at, PAGE_MAX + 1)
        for channel, depths in (
            ("community", (None, MANY, 99_000, 50_000, 100, 1)),
            (mine, (None, 2_500, 10)),
            ("user:nobody", (None, 5)),
        )
        for at in depths
    ]
    ends = [None, 4_990, 2_500, 20, 1, MANY]
    return {
        **_accounts(heavy, session, token),
        **_reference(),
        **_people(heavy, await app.fetch("SELECT id, name FROM users WHERE id <> $1 ORDER BY id", heavy)),
        **_audit(),
        **_privacy(heavy, account, other),
        **_jobs(heavy),
        **_standings(heavy, other),
        **_relay(channels, namespaces),
        **_earning(heavy),
        "api/credits/queries.sql: open_account": [(uuid7(), uuid7(), 100, NOW)],
        "api/credits/queries.sql: balance": [(heavy,)],
        "api/credits/queries.sql: ledger": [(heavy, at, PAGE_MAX + 1) for at in ends],
        "api/entitlements/queries.sql: entitlements": [(heavy, NOW)],
        "api/flags/queries.sql: flags": [(list(DEFAULTS),)],
        **_payments(heavy),
        **_admin(heavy, account),
        "api/feed/queries.sql: page": positions,
        **await _high_fives(app, heavy),
        "api/readiness.sql: newest_migration": [()],
        "api/outbox.sql: append_event": [
            (uuid7(), NOW, ours, "workout_completed", 1, account, heavy, "Ann", ["PUBLIC_ANON"], "{}")
        ],
        "api/workouts/queries.sql: log_workout": [_workout(heavy)],
        "api/workouts/queries.sql: workout": [(heavy, workouts[0]["id"]), (heavy, uuid7())],
        "api/workouts/queries.sql: my_workouts": [
            (heavy, None, None, PAGE_MAX + 1),
            *((heavy, workouts[n]["performed_at"], workouts[n]["id"], PAGE_MAX + 1) for n in (4_990, 2_500, 10, 0)),
        ],
    }


async def _high_fives(app: asyncpg.Connection, sender: UUID) -> dict[str, list[tuple[Any, ...]]]:
    """For what the community hears, for one's own, for nothing; and of a page of each, one praised by thousands."""
    newest = 'SELECT event_id FROM stream_positions WHERE channel = $1 ORDER BY "offset" DESC LIMIT $2'
    community = [row["event_id"] for row in await app.fetch(newest, "community", PAGE_MAX + 1)]
    own = await app.fetch(newest.replace("stream_", "feed_"), f"user:{sender}", PAGE_MAX + 1)
    mine = [row["event_id"] for row in own]
    file = "api/highfives/queries.sql: "
    return {
        file + "send_high_five": [
            (sender, event, uuid7(), 3, 500, NOW) for event in (community[0], community[-1], mine[0], uuid7())
        ],
        file + "tallies": [(community, sender), (mine, sender), (community, None)],
    }


def _accounts(user: UUID, session: UUID, token: bytes) -> dict[str, list[tuple[Any, ...]]]:
    file = "api/accounts/queries.sql: "
    return {
        file + "insert_user": [
            (uuid7(), UUID("00000000-0000-7000-8000-000000000001"), "new@example.org", "Ann", "", NOW, NOW)
        ],
        file + "user_by_id": [(user,), (uuid7(),)],
        file + "user_by_email": [("u1@example.org",), ("nobody@example.org",)],
        file + "replace_password_hash": [(user, "", "x", NOW)],
        file + "reissue_newest": [(session, 1, HASH)],
        file + "insert_session": [(uuid7(), user, NOW, LATER)],
        file + "displace_sessions": [(user, NOW, 99), (user, NOW, 10)],
        file + "drop_old_sessions": [(user, NOW, 99), (user, NOW, 10)],
        file + "insert_refresh_token": [(HASH, session, 9, NOW, LATER)],
        file + "lock_refresh_token": [(token,), (HASH,)],
        file + "mark_rotated": [(token, NOW)],
        file + "advance_session": [(session, 9, LATER)],
        file + "drop_expired_tokens": [(session, NOW)],
        file + "sessions_ended_since": [(NOW, REVOCATIONS_MAX), (NOW - timedelta(days=2), REVOCATIONS_MAX)],
        file + "end_session": [(session, NOW, "logout")],
        file + "audiences_since": [(NOW, REVOCATIONS_MAX), (NOW - timedelta(minutes=3), REVOCATIONS_MAX)],
        file + "reading_ended_since": [(NOW, CHANNELS_ENDED_MAX), (NOW - timedelta(minutes=3), CHANNELS_ENDED_MAX)],
        file + "password_hash": [(user,), (uuid7(),)],
        file + "ask_proof": [
            (uuid7(), "join", "new@example.org", "Ann", "", NOW, LATER, NOW - HOUR, 3, 1_000),
            (uuid7(), "reset", "u1@example.org", None, None, NOW, LATER, NOW - HOUR, 3, 1_000),
        ],
        file + "claim_mail": [(HASH, NOW, 4, 30.0)],
        file + "mail_done": [(uuid7(),)],
        file + "proof_kind": [(HASH, NOW)],
        file + "prove_join": [(HASH, uuid7(), uuid7(), uuid7(), 100, LATER, NOW)],
        file + "prove_reset": [(HASH, "x", NOW)],
    }


def _privacy(user: UUID, account: UUID, light: UUID) -> dict[str, list[tuple[Any, ...]]]:
    """Everything of the user with 5,000 workouts, by nature; deleted is one with few: what is rolled back bloats."""
    file = "api/privacy/queries.sql: "
    return {
        **{file + name: [(user, account), (uuid7(), uuid7())] for name in SECTIONS},
        file + "profile": [(user,), (uuid7(),)],
        file + "erase_user": [(light, "", NOW), (light, "x", NOW), (uuid7(), "", NOW)],
        file + "erasures": [(100,)],
        file + "settle_erasure": [(light, True, NOW), (uuid7(), True, NOW)],
        file + "take_turn": [(user, "export", NOW, NOW - HOUR)],
    }


def _payments(user: UUID) -> dict[str, list[tuple[Any, ...]]]:
    """Of somebody with some hundred purchases, and of what nobody has heard of."""
    file = "api/entitlements/queries.sql: take_"
    told = ("evt_new", "a type", NOW, NOW)
    return {
        file + "checkout": [
            (*told, "cs_new", user, "cus_1", 100, "pi_new"),
            (*told, "cs_7", user, "cus_7", 200, "pi_7"),
            (*told, "cs_new", uuid7(), None, None, None),
        ],
        file + "refund": [(*told, "ch_7", "pi_7", 1_000, 1_000), (*told, "ch_new", "pi_new", 1_000, 1)],
        file + "subscription": [(*told, "sub_7", user, "cus_7", 1, "active", LATER, True)],
        file + "invoice": [(*told, "sub_7", LATER), (*told, "sub_new", LATER)],
    }


def _admin(user: UUID, account: UUID) -> dict[str, list[tuple[Any, ...]]]:
    file = "api/admin.sql: "
    nobody: list[Any] = []
    return {
        file + "person_by_id": [(user,), (uuid7(),)],
        file + "person_by_email": [("u1@example.org",)],
        file + "act_for": [(str(user),)],
        file + "grant_credits": [(uuid7(), account, 5, NOW)],
        file + "set_roles": [(user, ["user"], NOW)],
        file + "flag": [("challenges",)],
        file + "add_flag_version": [("challenges", 0, True, None, nobody, nobody, NOW)],
        file + "point_flag": [("challenges", 1, NOW)],
        file + "note_action": [(uuid7(), NOW, "root", "grant", account, "{}", None)],
    }


def _people(heavy: UUID, others: list[Any]) -> dict[str, list[tuple[Any, ...]]]:
    """A user with a thousand followers, who follows as many; and one with none."""
    file = "api/community/queries.sql: "
    ids = [row["id"] for row in others]
    other = next(row["id"] for row in others if row["name"] == "User 55")
    far = NOW - timedelta(days=1)
    return {
        file + "profiles": [(heavy, ids[: PAGE_MAX + 1], NOW), (uuid7(), [heavy], NOW)],
        file + "people": [
            (heavy, heavy, what, at, ids[500] if at else None, PAGE_MAX + 1, NOW)
            for what in ("followers", "following", "requests")
            for at in (None, far)
        ],
        file + "named": [
            (heavy, text, tail, ids[0] if tail else None, PAGE_MAX + 1, NOW)
            for text, tail in (("user", None), ("u", "user 5"), ("nobody", None), ("9", None))
        ],
        file + "follow": [(heavy, other, 5_000, 500, NOW, uuid7()), (other, ids[7], 5_000, 500, NOW, uuid7())],
        file + "unfollow": [(heavy, other, NOW), (other, heavy, NOW)],
        file + "answer": [(heavy, other, accept, NOW) for accept in (True, False)],
        file + "block": [(heavy, other, BLOCKS_MAX, NOW)],
        file + "unblock": [(other, ids[9], NOW)],
        file + "set_audience": [(heavy, "nobody", NOW), (heavy, "everyone", NOW)],
        "api/channels/queries.sql: open_to": [(heavy, ids[:PAGE_MAX]), (other, ids[:PAGE_MAX])],
        "api/feed/queries.sql: profile_page": [
            (viewer, heavy, at, PAGE_MAX + 1) for viewer in (heavy, ids[3]) for at in (None, 2_500, 10)
        ],
        "api/feed/queries.sql: following_page": [
            (viewer, before, PAGE_MAX + 1)
            for viewer in (heavy, other, uuid7())
            for before in (None, lowest_id(NOW - timedelta(days=200)), lowest_id(NOW - timedelta(days=4_000)))
        ],
    }


def _reference() -> dict[str, list[tuple[Any, ...]]]:
    """Tables of some hundred rows."""
    file = "api/reference/queries.sql: "
    nothing: list[Any] = []
    return {
        file + "upsert_muscles": [(nothing,) * 4],
        file + "upsert_equipment": [(nothing,) * 3],
        file + "upsert_exercises": [(nothing,) * 4],
        file + "upsert_activations": [(nothing,) * 3],
        file + "delete_other_activations": [(nothing,) * 2],
        file + "upsert_archetypes": [(nothing,) * 6],
        file + "upsert_achievements": [(nothing,) * 6],
        file + "upsert_challenges": [(nothing,) * 10],
        file + "retire_challenges": [([uuid7()],)],
        file + "give_achievements": [()],
        **{
            file + f"all_{name}": [()]
            for name in ("muscles", "equipment", "exercises", "activations", "archetypes", "achievements", "challenges")
        },
    }


def _audit() -> dict[str, list[tuple[Any, ...]]]:
    """Windows of an hour: what came in one bounds each statement, but for the outbox and what came since."""
    windows = [(lowest_id(at), lowest_id(at + HOUR), at, at + HOUR) for at in (NOW - timedelta(days=4), NOW - HOUR)]
    file = "worker/books/audit_windows.sql: "
    return {
        **{
            f"worker/books/audit_window.sql: {name}": [(FINDINGS_PER_CHECK_MAX, *window) for window in windows]
            for name in WINDOW_CHECKS
        },
        "worker/books/audit_window.sql: prepare": [()],
        file + "newest_window": [()],
        file + "window_hole": [(FINDINGS_PER_CHECK_MAX,)],
        file + "last_windows": [(AUDIT_WINDOWS_RECOUNTED,)],
        file + "count_window": [window[:2] for window in windows],
        file + "add_window": [(None, NOW, 1, 1, 2, 25, 1)],
        file + "forget_windows": [()],
        file + "wait_for_retention": [()],
        file + "events_dropped": [()],
        file + "note_audit": [("window", NOW, NOW, 0, 0.1)],
    }


def _workout(user: UUID) -> tuple[Any, ...]:
    ids = (uuid7(), uuid7(), uuid7())
    return (
        user,
        "a key",
        HASH,
        NOW,
        25,
        *ids,
        NOW,
        None,
        ["PUBLIC_ANON"],
        1.0,
        [uuid7()],
        ["[]"],
        [uuid7()],
        [1.0],
        "{}",
        *([uuid7()], [60.0], NOW.date(), [uuid7() for _ in range(12)], [1.0] * 12, [5.0] * 12, [10] * 12, [1.0], [1.0]),
    )


def _earning(user: UUID) -> dict[str, list[tuple[Any, ...]]]:
    """Of a user with a workout on each day of a year."""
    progress, challenges = "api/progress/queries.sql: ", "api/challenges/queries.sql: "
    monday = NOW.date() - timedelta(days=NOW.weekday() + 7)
    return {
        progress + "streak": [(user, NOW), (uuid7(), NOW)],
        progress + "achievements": [(user,)],
        progress + "time_zones": [()],
        progress + "set_time_zone": [(user, "Asia/Tokyo", NOW, 10, uuid7())],
        progress + "set_archetype": [(user, uuid7(), NOW)],
        challenges + "board": [(user, NOW)],
        challenges + "lock_user": [(user, NOW)],
        challenges + "workouts_of_week": [(user, monday, 1_000)],
        challenges + "join": [(user, NOW, uuid7(), monday, 1.0, 5.0, 10, uuid7())],
    }


def _relay(channels: list[str], namespaces: list[str]) -> dict[str, list[tuple[Any, ...]]]:
    file = "worker/queries.sql: "
    heads = [0] * len(channels)
    some = channels[:RELAY_BATCH]
    ids = [uuid7() for _ in some]
    size = len(some)
    given = (
        *(["musclemap"] * size, some, ids, [NOW] * size, ['{"id":"x"}'] * (size - 1) + [None]),
        [channel == "community" for channel in some],
        [None] * size,
    )
    pages = [("", ""), ("musclemap", "community"), ("musclemap", channels[50]), ("musclemap", "user:z"), ("z", "z")]
    return {
        file + "epoch": [()],
        file + "look_at_lease": [("relay",)],
        file + "take_lease": [("relay", "other", 4.0, None), ("relay", "me", 4.0, "me")],
        file + "renew_lease": [("relay", "me", 1, 4.0)],
        file + "release_lease": [("relay", "me", 1)],
        file + "pending": [()],
        file + "plan_anew": [()],
        file + "claim": [
            ("relay", "me", 1, RELAY_BATCH, 0),
            ("relay", "other", 7, RELAY_BATCH, 0),
            ("relay", "me", 1, RELAY_BATCH_BACKLOG, RELAY_OVERTAKING),
        ],
        file + "number": [given],
        file + "mark_published": [(namespaces, channels, heads)],
        file + "unpublished": [(*page, RELAY_WALK) for page in pages],
        file + "streams": [(*page, RELAY_REFILLS) for page in pages],
        file + "heads": [(namespaces, channels)],
        file + "positions_after": [("musclemap", "community", at, RELAY_PAGE) for at in (0, 50_000, 99_990)],
        file + "missing_positions": [(["musclemap"] * 2, ["community", channels[0]], [50_000, 0], RELAY_BATCH)],
        file + "newest_positions": [(namespaces, channels, FEED_LIST_EVENTS)],
        file + "stream_from": [
            ("musclemap", "community", FEED_STREAM_EVENTS, float(FEED_STREAM_S), FEED_STREAM_EVENTS_MAX)
        ],
        file + "outbox_depth": [(RELAY_DEPTH_MAX,)],
        file + "audits": [()],
        **_retention(file),
    }


def _jobs(user: UUID) -> dict[str, list[tuple[Any, ...]]]:
    file = "worker/jobs/queries.sql: "
    nobody = UUID(int=0)
    run = ("streaks", NOW)
    return {
        file + "look": [(list(JOBS),)],
        file + "bounds": [("300000",)],
        file + "take_turn": [("streaks",)],
        file + "begin_batch": [(*run, "me"), ("streaks", NOW - timedelta(days=9), "me")],
        file + "end_batch": [(*run, 1, "x"), (*run, 1, None)],
        file + "note_failure": [(*run, "me", "57014")],
        file + "try_again": [(*run, 5.0)],
        file + "end_streaks": [(nobody, STREAKS_LOOKED_AT), (user, STREAKS_LOOKED_AT)],
        file + "score_rivals": [(nobody, nobody, RIVALS_LOOKED_AT), (user, user, RIVALS_LOOKED_AT)],
        file + "refresh_leaderboards": [()],
        file + "forget_week": [(NOW.date(),)],
        file + "keep_week": [(monday(NOW),)],
        file + "bound_wait": [("2000",)],
        file + "make_month": [("activity_events", months) for months in (0, 40)],
    }


def _standings(user: UUID, other: UUID) -> dict[str, list[tuple[Any, ...]]]:
    file = "api/standings/queries.sql: "
    return {
        file + "leaderboard_page": [
            (viewer, board, "ALL_TIME", after, PAGE_MAX + 1)
            for viewer, board, after in ((None, "XP", 0), (user, "VOLUME", 0), (user, "STREAK", 90))
        ],
        file + "add_rival": [(user, other, NOW, 10), (user, uuid7(), NOW, 10)],
        file + "remove_rival": [(user, uuid7())],
        file + "rivals_of": [(user,)],
        file + "profiles": [([user],)],
    }


def _retention(file: str) -> dict[str, list[tuple[Any, ...]]]:
    """Each drops a batch, or a month of the year; the auditor has some windows there."""
    ends = [NOW - timedelta(days=days) for days in (300, 200, 100)]
    windows = (ends, [lowest_id(at - HOUR) for at in ends], [lowest_id(at) for at in ends])
    return {
        file + "retain": [()],
        file + "windows_before": [(90,)],
        file + "drop_events": [(90, RETENTION_ROWS, *windows), (9_000, RETENTION_ROWS, *windows)],
        file + "drop_streams": [(90, FEED_STREAM_EVENTS, RETENTION_ROWS), (9_000, FEED_STREAM_EVENTS, RETENTION_ROWS)],
        file + "drop_high_fives": [(90, RETENTION_ROWS), (9_000, RETENTION_ROWS)],
        file + "drop_expired_sessions": [(2, RETENTION_ROWS)],
        file + "drop_ended_sessions": [(2, RETENTION_ROWS)],
        file + "drop_ended_sessions_of_nobody": [(2, RETENTION_ROWS)],
        file + "drop_proofs": [(RETENTION_ROWS,)],
        file + "drop_job_runs": [(30, RETENTION_ROWS)],
        file + "drop_snapshots": [(400, RETENTION_ROWS)],
        file + "drop_ended_reads": [(float(ENDED_KEPT_S), RETENTION_ROWS)],
        file + "oldest_kept": [()],
    }


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
        await api.fetch("SELECT feed_page('musclemap', '', 1, 1)")  # the first call in a session reads the catalogue
        for name, sql in named_statements().items():
            role = worker if name.startswith("worker/") else owner if name.startswith(MIGRATING) else api
            for args in of.get(name, ()):
                viewer = args[0] if name.endswith(": insert_user") else heavy  # who joins is somebody new
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
