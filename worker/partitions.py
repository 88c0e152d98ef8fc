"""Makes the partitions of the coming months, beside everything else: nothing waits for it, and it waits for nobody.

A new month is attached under a lock that a backup does not give away. The database function gives up after a fifth of
a second, and here it is tried again: months are made half a year ahead, and one that is not made in time still takes
its rows, in the partition for all others.
"""

import asyncio
from typing import Final

import asyncpg
import structlog

from config.db.postgres import ERRORS
from config.db.queries import load_queries
from config.limits import DDL_LOCK_S
from config.metrics import FAILURES
from worker import metrics
from worker.store import committed

log = structlog.get_logger()

PARTITION_MONTHS_AHEAD: Final = 6  # this one included
PARTITIONS_EVERY_S: Final = 3_600  # months are looked after this often, and ...
PARTITIONS_AGAIN_S: Final = 10  # ... one that could not be made, because somebody reads, is tried again after this

PARTITIONED: Final = ("activity_events", "stream_positions")

_QUERIES: Final = load_queries(__file__)
_BOUND_WAIT: Final = _QUERIES["bound_wait"]
_MAKE_MONTH: Final = _QUERIES["make_month"]


async def keep_partitions(pool: asyncpg.Pool) -> None:
    """Looks after them for as long as the process lives; several workers may do so at once."""
    while True:
        again_s: float = PARTITIONS_EVERY_S
        for table in PARTITIONED:
            try:
                await make_months(pool, table)
            except ERRORS as error:
                again_s = PARTITIONS_AGAIN_S
                if isinstance(error, asyncpg.PostgresError):  # else it is not connected yet, or away
                    FAILURES.labels("partitions").inc()
                    log.warning("partition_not_made", table=table, why=type(error).__name__)
        await asyncio.sleep(again_s)


async def make_months(pool: asyncpg.Pool, table: str) -> None:
    """Makes what is missing of the next PARTITION_MONTHS_AHEAD months, each in a transaction of its own."""
    metrics.MONTHS_AHEAD.labels(table).set(0)
    for month in range(PARTITION_MONTHS_AHEAD):
        async with committed(pool) as tx:
            await tx.execute(_BOUND_WAIT, str(DDL_LOCK_S * 1000))
            outcome = await tx.fetchval(_MAKE_MONTH, table, month)
        if outcome == "made":
            log.info("partition_made", table=table, month=month)
        metrics.MONTHS_AHEAD.labels(table).set(month + 1)
