"""The auditor of the books: what must hold at every instant, looked up in one snapshot.

`audit` reads everything. `audit_next` reads what came since the audit before, by the time in the ids: it ends
AUDIT_LATE_S ago, where nothing can still commit, and remembers what it counted. Where it stands is itself audited:
windows follow each other without a hole, and the last ones, or all with everything, are counted again. So a row that
came late below it, or went, is found; what retention drops it takes from the windows itself, in the same transaction.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from config.db.queries import Query, load_queries
from config.limits import AUDIT_LATE_S, AUDIT_WINDOWS_RECOUNTED

_WHOLE: Final = load_queries(__file__, "audit.sql")
_WINDOW: Final = load_queries(__file__, "audit_window.sql")
_WINDOWS: Final = load_queries(__file__, "audit_windows.sql")
_NEWEST_WINDOW: Final = _WINDOWS["newest_window"]
_EVENTS_DROPPED: Final = _WINDOWS["events_dropped"]
_WAIT_FOR_RETENTION: Final = _WINDOWS["wait_for_retention"]
_FORGET_WINDOWS: Final = _WINDOWS["forget_windows"]
_ADD_WINDOW: Final = _WINDOWS["add_window"]
_NOTE_AUDIT: Final = _WINDOWS["note_audit"]
_WINDOW_HOLE: Final = _WINDOWS["window_hole"]
_LAST_WINDOWS: Final = _WINDOWS["last_windows"]
_COUNT_WINDOW: Final = _WINDOWS["count_window"]
_PREPARE: Final = "prepare"
CHECKS: Final = {name: query for name, query in _WHOLE.items() if name != _PREPARE}
WINDOW_CHECKS: Final = {name: query for name, query in _WINDOW.items() if name != _PREPARE}
FINDINGS_PER_CHECK_MAX: Final = 20
CHECK_S_MAX: Final = 300  # as the statement_timeout in audit.sql
_EVER: Final = 1_000_000  # windows; there are some hundred between two audits of everything
_COUNTS: Final = ("workouts", "transactions", "entries", "credits", "events")
BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)


class Finding(msgspec.Struct, frozen=True):
    """One thing that must not be: which check, about what (an id), and what was found."""

    check: str
    subject: str
    detail: str


class Audit(msgspec.Struct, frozen=True):
    """What one audit found, and up to which time (of ids) it looked."""

    kind: str
    through: datetime
    findings: list[Finding]
    took_s: float


async def audit(connection: asyncpg.Connection) -> list[Finding]:
    """What is wrong in the books; empty when nothing is. At most 20 findings of each check.

    One read-only snapshot, which takes no part in conflicts, so it may run beside any load. Reads whole tables.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_WHOLE[_PREPARE].sql)
        return await _found(connection, CHECKS)


async def audit_next(connection: asyncpg.Connection, now: datetime, *, whole: bool = False) -> Audit:
    """Audits what came since the last audit, or everything where it is asked for or nothing was audited yet; remembers
    how far it came only where nothing was found, so that a finding is found again until it is mended."""
    started = time.monotonic()
    through = now - timedelta(seconds=AUDIT_LATE_S)
    newest = await connection.fetchval(_NEWEST_WINDOW.sql)
    whole = whole or newest is None
    began = BEGINNING if whole else newest
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_WHOLE[_PREPARE].sql if whole else _WINDOW[_PREPARE].sql)
        dropped = await connection.fetchval(_EVENTS_DROPPED.sql)
        findings = await _of_windows(connection, _EVER if whole else AUDIT_WINDOWS_RECOUNTED)
        if whole:
            findings += await _found(connection, CHECKS)
        elif began < through:
            findings += await _found(connection, WINDOW_CHECKS, *_bounds(began, through))
        counts = await _count(connection, began, through) if began < through else None
    kind, took_s = "whole" if whole else "window", time.monotonic() - started
    async with connection.transaction(isolation="read_committed"):
        await connection.execute(_WAIT_FOR_RETENTION.sql)
        # What was counted is no longer true where some of it was dropped since: the next audit counts it.
        same = dropped == await connection.fetchval(_EVENTS_DROPPED.sql)
        if counts is not None and not findings and same:
            if whole:
                await connection.execute(_FORGET_WINDOWS.sql)
            since = None if whole else began
            await connection.execute(_ADD_WINDOW.sql, since, through, *(counts[name] for name in _COUNTS))
        await connection.execute(_NOTE_AUDIT.sql, kind, now, through, len(findings), took_s)
    return Audit(kind, through, findings, took_s)


async def _found(connection: asyncpg.Connection, checks: Mapping[str, Query], *bounds: Any) -> list[Finding]:
    findings = []
    for check, query in checks.items():
        rows = await connection.fetch(query.sql, FINDINGS_PER_CHECK_MAX, *bounds, timeout=CHECK_S_MAX)
        findings += [Finding(check, row["subject"], row["detail"]) for row in rows]
    return findings


async def _of_windows(connection: asyncpg.Connection, recounted: int) -> list[Finding]:
    """What is wrong with the windows themselves, the newest `recounted` of which are counted again."""
    holes = await connection.fetch(_WINDOW_HOLE.sql, FINDINGS_PER_CHECK_MAX)
    findings = [Finding("window_hole", row["subject"], row["detail"]) for row in holes]
    for window in await connection.fetch(_LAST_WINDOWS.sql, recounted):
        now = await _count(connection, window["began"] or BEGINNING, window["through"])
        changed = [f"{name} {window[name]}, now {now[name]}" for name in _COUNTS if now[name] != window[name]]
        if changed:
            findings.append(Finding("window_changed", str(window["through"]), ", ".join(changed)))
    return findings[:FINDINGS_PER_CHECK_MAX]


async def _count(connection: asyncpg.Connection, began: datetime, through: datetime) -> Any:
    return await connection.fetchrow(_COUNT_WINDOW.sql, *_bounds(began, through)[:2], timeout=CHECK_S_MAX)


def _bounds(began: datetime, through: datetime) -> tuple[UUID, UUID, datetime, datetime]:
    return lowest_id(began), lowest_id(through), began, through


def lowest_id(at: datetime) -> UUID:
    """The lowest id of a time or later; ids begin with the millisecond in which they were made."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)
