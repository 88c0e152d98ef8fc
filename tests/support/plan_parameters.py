"""Parameters of every named statement, for whoever asks what it reads or who may run it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

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
from tests.support.plan_apps import of_apps, of_retention
from tests.support.plan_operators import of_operators
from worker.books.audit import FINDINGS_PER_CHECK_MAX, WINDOW_CHECKS, lowest_id
from worker.jobs.challenges import ACTIVE_DAYS, CHALLENGED_AT_ONCE
from worker.jobs.every import JOBS
from worker.jobs.leaderboards import monday
from worker.jobs.rivals import RIVALS_LOOKED_AT
from worker.jobs.streaks import STREAKS_LOOKED_AT
from worker.retention import RETENTION_ROWS
from worker.store import RELAY_BATCH_BACKLOG, RELAY_OVERTAKING, RELAY_WALK

NOW: Final = datetime.now(UTC)
HOUR: Final = timedelta(hours=1)
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
    other, light = [await app.fetchval("SELECT id FROM users WHERE name = $1", f"User {n}") for n in (2, 3)]
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
        **_privacy(heavy, account, light),
        **_jobs(heavy),
        **_standings(heavy, other),
        **_relay(channels, namespaces),
        **_earning(heavy),
        **of_apps() | of_retention() | await of_operators(app, heavy, other),
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
        "api/progress/queries.sql: achieved": [(uuid7(), [heavy], NOW), (heavy, ids[: PAGE_MAX + 1], NOW)],
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
    everything = ("muscles", "equipment", "exercises", "activations", "archetypes", "achievements", "challenges")
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
        **{file + name: [()] for name in ("give_achievements", "edition")},
        **{file + f"all_{name}": [()] for name in everything},
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
        **{file + n: [()] for n in ("newest_window", "forget_windows", "wait_for_retention", "events_dropped")},
        file + "window_hole": [(FINDINGS_PER_CHECK_MAX,)],
        file + "last_windows": [(AUDIT_WINDOWS_RECOUNTED,)],
        file + "count_window": [window[:2] for window in windows],
        file + "add_window": [(None, NOW, 1, 1, 2, 25, 1)],
        file + "note_audit": [("window", NOW, NOW, 0, 0.1)],
    }


def _workout(user: UUID) -> tuple[Any, ...]:
    ids = (uuid7(), uuid7(), uuid7())
    parts = ([uuid7()], ["[]"], [uuid7()], [1.0], "{}")
    earned = (
        [uuid7()],
        [60.0],
        NOW.date(),
        [uuid7() for _ in range(12)],
        [1.0] * 12,
        [5.0] * 12,
        [10] * 12,
        [1.0],
        [1.0],
    )
    return (user, "a key", HASH, NOW, 25, *ids, NOW, None, ["PUBLIC_ANON"], 1.0, *parts, *earned)


def _earning(user: UUID) -> dict[str, list[tuple[Any, ...]]]:
    """Of a user with a workout on each day of a year."""
    progress, challenges = "api/progress/queries.sql: ", "api/challenges/queries.sql: "
    monday = NOW.date() - timedelta(days=NOW.weekday() + 7)
    return {
        progress + "streak": [(user, NOW), (uuid7(), NOW)],
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
        **{file + n: [()] for n in ("epoch", "pending", "plan_anew", "audits")},
        file + "look_at_lease": [("relay",)],
        file + "take_lease": [("relay", "other", 4.0, None), ("relay", "me", 4.0, "me")],
        file + "renew_lease": [("relay", "me", 1, 4.0)],
        file + "release_lease": [("relay", "me", 1)],
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
        file + "assign_challenges": [(ACTIVE_DAYS, who, CHALLENGED_AT_ONCE) for who in (nobody, user)],
        file + "score_rivals": [(nobody, nobody, RIVALS_LOOKED_AT), (user, user, RIVALS_LOOKED_AT)],
        file + "refresh_leaderboards": [()],
        file + "forget_week": [(NOW.date(),)],
        file + "by_hashes": [()],
        file + "keep_week": [(monday(NOW),)],
        file + "bound_wait": [("2000",)],
        file + "make_month": [("activity_events", months) for months in (0, 40)],
    }


def _standings(user: UUID, other: UUID) -> dict[str, list[tuple[Any, ...]]]:
    file = "api/standings/queries.sql: "
    return {
        file + "leaderboard_page": [
            (viewer, board, "ALL_TIME", after, PAGE_MAX + 1)
            for viewer, board, after in ((uuid7(), "XP", 0), (user, "VOLUME", 0), (user, "STREAK", 90))
        ],
        file + "add_rival": [(user, other, NOW, 10), (user, uuid7(), NOW, 10)],
        file + "remove_rival": [(user, uuid7())],
        file + "rivals_of": [(user,)],
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
