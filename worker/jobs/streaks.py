"""Ends streaks whose owner's midnight has passed: leaderboards count them no longer.

Nothing is announced, and `progress` keeps the run of dates itself: a late workout may mend it.
"""

from typing import Final
from uuid import UUID

from config.db.database import Transaction
from config.db.queries import load_queries
from worker.jobs.job import Batch, Turn

STREAKS_LOOKED_AT: Final = 5_000  # users a batch: some 30 ms in which a workout of one of them may wait

_QUERIES: Final = load_queries(__file__)
_END_STREAKS: Final = _QUERIES["end_streaks"]


async def run_once(tx: Transaction, turn: Turn) -> Batch:
    """The next STREAKS_LOOKED_AT users, in the order of their ids."""
    after = UUID(turn.place) if turn.place else UUID(int=0)
    row = await tx.fetchrow(_END_STREAKS, after, STREAKS_LOOKED_AT)
    if row is None:
        return Batch(0)
    return Batch(row["changed"], str(row["user_id"]) if row["looked"] == STREAKS_LOOKED_AT else None)
