"""Drops what is over its term, beside everything else: a month of a table at once, else a few rows at a time.

What is kept, by whom and how long stands in ARCHITECTURE.md. The database functions decide what may go, wait for a lock
for a fifth of a second at most, and are tried again; one worker drops at a time. When: worker/jobs/terms.py.
"""

from collections.abc import Callable
from typing import Any, Final

from config.db.database import Transaction
from config.db.queries import load_queries
from config.limits import APP_EVENT_IDS_DAYS, ENDED_KEPT_S, FEED_STREAM_EVENTS, REVOCATION_LATE_S
from config.settings import Settings
from worker import metrics
from worker.books.audit import BEGINNING, lowest_id

RETENTION_ROWS: Final = 500  # deleted by so many rows a transaction, where it is no month of its own, ...
APP_EVENT_IDS_ROWS: Final = 5_000  # of these, which are small and come by the hundred
RETENTION_REST_S: Final = 0.1  # ... with a rest after each: the relay and workouts come first
JOB_RUNS_DAYS: Final = 30  # the run log
SNAPSHOTS_DAYS: Final = 400  # the first hundred of each week: those of a year

_QUERIES: Final = load_queries(__file__)
_RETAIN: Final = _QUERIES["retain"]
_WINDOWS_BEFORE: Final = _QUERIES["windows_before"]
_DROP_EVENTS: Final = _QUERIES["drop_events"]
_DROP_STREAMS: Final = _QUERIES["drop_streams"]
_DROP_HIGH_FIVES: Final = _QUERIES["drop_high_fives"]
_DROP_EXPIRED_SESSIONS: Final = _QUERIES["drop_expired_sessions"]
_DROP_ENDED_SESSIONS: Final = _QUERIES["drop_ended_sessions"]
_DROP_ENDED_SESSIONS_OF_NOBODY: Final = _QUERIES["drop_ended_sessions_of_nobody"]
_DROP_PROOFS: Final = _QUERIES["drop_proofs"]
_DROP_JOB_RUNS: Final = _QUERIES["drop_job_runs"]
_DROP_SNAPSHOTS: Final = _QUERIES["drop_snapshots"]
_DROP_ENDED_READS: Final = _QUERIES["drop_ended_reads"]
_DROP_APP_EVENT_IDS: Final = _QUERIES["drop_app_event_ids"]
_OLDEST_KEPT: Final = _QUERIES["oldest_kept"]

# Drops one batch in the transaction at hand: how many rows, or None where nothing is over its term.
Chore = Callable[[Transaction, Settings], Any]


async def drop(tx: Transaction, settings: Settings, what: str, chore: Chore) -> int | None:
    """One batch, when nobody else drops anything; None where nothing is over its term."""
    await tx.execute(_RETAIN)
    rows: int | None = await chore(tx, settings)
    metrics.DROPPED.labels(what).inc(rows or 0)
    return rows


async def measure(tx: Transaction) -> None:
    """Tells how old the oldest is that is kept."""
    for row in await tx.fetch(_OLDEST_KEPT):
        metrics.OLDEST_S.labels(row["what"]).set(row["age_s"] or 0)


async def _events(tx: Transaction, settings: Settings) -> int | None:
    windows = await tx.fetch(_WINDOWS_BEFORE, settings.keep_events_days)
    through = [row["through"] for row in windows]
    lows = [lowest_id(row["began"] or BEGINNING) for row in windows]
    highs = [lowest_id(at) for at in through]
    dropped: int | None = await tx.fetchval(
        _DROP_EVENTS, settings.keep_events_days, RETENTION_ROWS, through, lows, highs
    )
    return dropped


async def _streams(tx: Transaction, settings: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(
        _DROP_STREAMS, settings.keep_community_days, FEED_STREAM_EVENTS, RETENTION_ROWS
    )
    return dropped


async def _high_fives(tx: Transaction, settings: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(_DROP_HIGH_FIVES, settings.keep_community_days, RETENTION_ROWS)
    return dropped


async def _expired(tx: Transaction, settings: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(_DROP_EXPIRED_SESSIONS, settings.keep_sessions_days, RETENTION_ROWS)
    return dropped


async def _ended(tx: Transaction, settings: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(_DROP_ENDED_SESSIONS, settings.keep_sessions_days, RETENTION_ROWS)
    return dropped


async def _of_nobody(tx: Transaction, settings: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(_DROP_ENDED_SESSIONS_OF_NOBODY, settings.keep_sessions_days, RETENTION_ROWS)
    return dropped


async def _proofs(tx: Transaction, _: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(_DROP_PROOFS, RETENTION_ROWS)
    return dropped


async def _job_runs(tx: Transaction, _: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(_DROP_JOB_RUNS, JOB_RUNS_DAYS, RETENTION_ROWS)
    return dropped


async def _snapshots(tx: Transaction, _: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(_DROP_SNAPSHOTS, SNAPSHOTS_DAYS, RETENTION_ROWS)
    return dropped


async def _ended_reads(tx: Transaction, _: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(_DROP_ENDED_READS, ENDED_KEPT_S + REVOCATION_LATE_S * 2, RETENTION_ROWS)
    return dropped


async def _app_event_ids(tx: Transaction, _: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(_DROP_APP_EVENT_IDS, APP_EVENT_IDS_DAYS, APP_EVENT_IDS_ROWS)
    return dropped


CHORES: Final = (
    ("activity_events", _events),
    ("stream_positions", _streams),
    ("high_fives", _high_fives),  # of the streams that were dropped before
    ("sessions", _expired),
    ("sessions", _ended),
    ("sessions", _of_nobody),
    ("proofs", _proofs),
    ("job_runs", _job_runs),
    ("leaderboard_snapshots", _snapshots),
    ("ended_reads", _ended_reads),
    ("app_event_ids", _app_event_ids),
)
