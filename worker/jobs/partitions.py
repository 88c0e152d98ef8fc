"""Makes the partitions of the coming months, beside everything else: nothing waits for it, and it waits for nobody.

A new month is attached under a lock that a backup does not give away. The database function gives up after a fifth of
a second, and the job is tried again: months are made half a year ahead, and one that is not made in time still takes
its rows, in the partition for all others.
"""

from typing import Final

import structlog

from config.db.database import Transaction
from config.db.queries import load_queries
from config.limits import DDL_LOCK_S
from worker import metrics
from worker.jobs.job import Batch, Turn

log = structlog.get_logger()

PARTITION_MONTHS_AHEAD: Final = 6  # this one included

PARTITIONED: Final = ("activity_events", "stream_positions")

_QUERIES: Final = load_queries(__file__)
_BOUND_WAIT: Final = _QUERIES["bound_wait"]
_MAKE_MONTH: Final = _QUERIES["make_month"]


async def run_once(tx: Transaction, turn: Turn) -> Batch:
    """The next month of a table. Raises asyncpg.LockNotAvailableError where somebody reads for long."""
    step = int(turn.place or 0)
    table, month = PARTITIONED[step // PARTITION_MONTHS_AHEAD], step % PARTITION_MONTHS_AHEAD
    metrics.MONTHS_AHEAD.labels(table).set(month)
    await tx.execute(_BOUND_WAIT, str(DDL_LOCK_S * 1000))
    made = await tx.fetchval(_MAKE_MONTH, table, month) == "made"
    if made:
        log.info("partition_made", table=table, month=month)
    metrics.MONTHS_AHEAD.labels(table).set(month + 1)
    last = step + 1 == len(PARTITIONED) * PARTITION_MONTHS_AHEAD
    return Batch(int(made), None if last else str(step + 1))
