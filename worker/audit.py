"""`python -m worker audit [--whole]`: audits the books once; and the figures of the last audits for /metrics.

A timer runs it every hour, and with `--whole` every week (config/deploy/systemd). Its findings are in its log, and
their number is in the metrics of every worker until an audit finds nothing.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final

import asyncpg
import structlog

from config.db.database import Transaction
from config.db.postgres import ERRORS, UnfitDatabaseError, connect_once
from config.db.queries import load_queries
from config.settings import Settings
from worker import metrics
from worker.books.audit import audit_next
from worker.store import committed

log = structlog.get_logger()

AUDITS_LOOK_S: Final = 30  # how often a worker tells what the last audits found

_RETRY_S: Final = 1
_QUERIES: Final = load_queries(__file__)
_AUDITS: Final = _QUERIES["audits"]


async def audit_once(settings: Settings, *, whole: bool) -> int:
    """The exit code of the command: 0 = nothing found, 1 = findings, 2 = it could not be done."""
    try:
        connection = await connect_once(settings, settings.worker_database_url)
        try:
            done = await audit_next(connection, datetime.now(UTC), whole=whole)
        finally:
            connection.terminate()
    except (*ERRORS, UnfitDatabaseError) as error:
        log.critical("audit_impossible", error=type(error).__name__)
        return 2
    for finding in done.findings:
        log.error("audit_finding", check=finding.check, subject=finding.subject, detail=finding.detail)
    log.info(
        "audited",
        kind=done.kind,
        through=done.through.isoformat(),
        findings=len(done.findings),
        took_s=round(done.took_s, 1),
    )
    return 1 if done.findings else 0


async def watch_audits(pool: asyncpg.Pool) -> None:
    """Keeps the gauges of the last audits true."""
    while True:
        wait_s = AUDITS_LOOK_S
        try:
            async with committed(pool) as tx:
                await _look(tx)
        except ERRORS:
            wait_s = _RETRY_S  # not connected yet, or away
        await asyncio.sleep(wait_s)


async def _look(tx: Transaction) -> None:
    for row in await tx.fetch(_AUDITS):
        metrics.AUDIT_FINDINGS.labels(row["kind"]).set(row["findings"])
        metrics.AUDIT_AGE_S.labels(row["kind"]).set(row["age_s"])
