"""Refreshes the materialized view behind the leaderboards, and keeps the first hundred of each week.

The running week is kept every day, so that no week is lost; the last one once more when it is over everywhere, since
what was trained offline comes late.
"""

from datetime import date, datetime, timedelta
from typing import Final

from config.db.database import Transaction
from config.db.queries import load_queries
from worker.jobs.job import Batch, Turn

_QUERIES: Final = load_queries(__file__)
_REFRESH_LEADERBOARDS: Final = _QUERIES["refresh_leaderboards"]
_BY_HASHES: Final = _QUERIES["by_hashes"]
_FORGET_WEEK: Final = _QUERIES["forget_week"]
_KEEP_WEEK: Final = _QUERIES["keep_week"]


async def refresh(tx: Transaction, _: Turn) -> Batch:
    """The view, concurrently."""
    await tx.execute(_BY_HASHES)
    await tx.execute(_REFRESH_LEADERBOARDS)
    return Batch(0)


async def keep_week(tx: Transaction, turn: Turn) -> Batch:
    """The week of the day before the slot: on a Monday still the one that has just ended."""
    return await _keep(tx, monday(turn.slot - timedelta(days=1)))


async def keep_last_week(tx: Transaction, turn: Turn) -> Batch:
    """The week before that of the slot."""
    return await _keep(tx, monday(turn.slot - timedelta(days=7)))


def monday(at: datetime) -> date:
    """The Monday of the week of an instant in UTC."""
    return at.date() - timedelta(days=at.weekday())


async def _keep(tx: Transaction, week: date) -> Batch:
    await tx.execute(_FORGET_WEEK, week)
    await tx.execute(_BY_HASHES)
    return Batch(await tx.fetchval(_KEEP_WEEK, week))
