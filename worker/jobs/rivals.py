"""Brings the scores of rivals up to date: the XP that each of the two has gained since."""

from typing import Final
from uuid import UUID

from config.db.database import Transaction
from config.db.queries import load_queries
from worker.jobs.job import Batch, Turn

RIVALS_LOOKED_AT: Final = 2_000  # pairs a batch

_QUERIES: Final = load_queries(__file__)
_SCORE_RIVALS: Final = _QUERIES["score_rivals"]


async def run_once(tx: Transaction, turn: Turn) -> Batch:
    """The next RIVALS_LOOKED_AT pairs, in the order of their ids."""
    user, rival = turn.place.split() if turn.place else (str(UUID(int=0)),) * 2
    row = await tx.fetchrow(_SCORE_RIVALS, UUID(user), UUID(rival), RIVALS_LOOKED_AT)
    if row is None:
        return Batch(0)
    return Batch(row["changed"], f"{row['user_id']} {row['rival_id']}" if row["looked"] == RIVALS_LOOKED_AT else None)
