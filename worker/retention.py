"""Drops what is over its term, beside everything else: a month of a table at once, else a few rows at a time.

What is kept, by whom and how long stands in ARCHITECTURE.md. The database functions decide what may go, wait for a lock
for a fifth of a second at most, and are tried again; one worker drops at a time.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import asyncpg
import structlog

from config.db.database import Transaction
from config.db.postgres import ERRORS
from config.db.queries import load_queries
from config.limits import ENDED_KEPT_S, FEED_STREAM_EVENTS, REVOCATION_LATE_S
from config.metrics import FAILURES
from config.settings import Settings
from worker import metrics
from worker.books.audit import BEGINNING, lowest_id
from worker.store import committed

log = structlog.get_logger()

RETENTION_EVERY_S: Final = 600  # what is over its term is looked for this often, and ...
RETENTION_AGAIN_S: Final = 5  # ... where PostgreSQL was away or is not connected yet, after this; ...
RETENTION_ROWS: Final = 500  # ... deleted by so many rows a transaction, where it is no month of its own, ...
RETENTION_REST_S: Final = 0.1  # ... with a rest after each: the relay and workouts come first

_QUERIES: Final = load_queries(__file__)
_RETAIN: Final = _QUERIES["retain"]
_WINDOWS_BEFORE: Final = _QUERIES["windows_before"]
_DROP_EVENTS: Final = _QUERIES["drop_events"]
_DROP_STREAMS: Final = _QUERIES["drop_streams"]
_DROP_HIGH_FIVES: Final = _QUERIES["drop_high_fives"]
_DROP_EXPIRED_SESSIONS: Final = _QUERIES["drop_expired_sessions"]
_DROP_ENDED_SESSIONS: Final = _QUERIES["drop_ended_sessions"]
_DROP_ENDED_READS: Final = _QUERIES["drop_ended_reads"]
_OLDEST_KEPT: Final = _QUERIES["oldest_kept"]

# Drops one batch in the transaction at hand: how many rows, or None where nothing is over its term.
Chore = Callable[[Transaction, Settings], Any]


async def keep_terms(pool: asyncpg.Pool, settings: Settings) -> None:
    """Looks for it for as long as the process lives; several workers may do so at once."""
    while True:
        again_s: float = RETENTION_EVERY_S
        for what, chore in CHORES:
            try:
                await drop_all(pool, settings, what, chore)
                await _measure(pool)
            except ERRORS as error:
                if isinstance(error, asyncpg.PostgresError):  # somebody reads for long, or it is not migrated yet
                    FAILURES.labels("retention").inc()
                    log.warning("nothing_dropped", what=what, why=type(error).__name__)
                else:  # it is not connected yet, or away
                    again_s = RETENTION_AGAIN_S
        await asyncio.sleep(again_s)


async def drop_all(pool: asyncpg.Pool, settings: Settings, what: str, chore: Chore) -> int:
    """Everything of one kind that is over its term, in batches with a rest between them; how many rows. Ends early
    where another worker is at it. Raises asyncpg's errors: LockNotAvailableError where somebody reads for long."""
    total = 0
    while True:
        async with committed(pool) as tx:
            rows = await chore(tx, settings) if await tx.fetchval(_RETAIN) else None
        if rows is None:
            if total:
                log.info("dropped", what=what, rows=total)
            return total
        total += rows
        metrics.DROPPED.labels(what).inc(rows)
        await asyncio.sleep(RETENTION_REST_S)


async def _measure(pool: asyncpg.Pool) -> None:
    async with committed(pool) as tx:
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


async def _ended_reads(tx: Transaction, _: Settings) -> int | None:
    dropped: int | None = await tx.fetchval(_DROP_ENDED_READS, ENDED_KEPT_S + REVOCATION_LATE_S * 2, RETENTION_ROWS)
    return dropped


CHORES: Final = (
    ("activity_events", _events),
    ("stream_positions", _streams),
    ("high_fives", _high_fives),  # of the streams that were dropped before
    ("sessions", _expired),
    ("sessions", _ended),
    ("ended_reads", _ended_reads),
)
