"""Gives everybody who still trains the DAILY challenges of their date, and takes away those that nobody began.

Hourly, for midnight comes to one zone after the other. Nothing waits for it: a workout and a page find the same three.
"""

from typing import Final
from uuid import UUID

from config.db.database import Transaction
from config.db.queries import load_queries
from worker.jobs.job import Batch, Turn

CHALLENGED_AT_ONCE: Final = 200  # users a batch: some 50 ms
ACTIVE_DAYS: Final = 30  # since the last workout

_QUERIES: Final = load_queries(__file__)
_ASSIGN_CHALLENGES: Final = _QUERIES["assign_challenges"]


async def run_once(tx: Transaction, turn: Turn) -> Batch:
    """The next CHALLENGED_AT_ONCE users, in the order of their ids."""
    after = UUID(turn.place) if turn.place else UUID(int=0)
    row = await tx.fetchrow(_ASSIGN_CHALLENGES, ACTIVE_DAYS, after, CHALLENGED_AT_ONCE)
    return Batch(row["assigned"], None if row["last"] is None else str(row["last"]))
