"""The auditor of the books: what must hold at every instant, looked up in one snapshot."""

from typing import Final

import asyncpg
import msgspec

from api.queries import load_queries

_QUERIES: Final = load_queries(__file__, "audit.sql")
_PREPARE: Final = _QUERIES["prepare"]
CHECKS: Final = {name: query for name, query in _QUERIES.items() if query is not _PREPARE}
FINDINGS_PER_CHECK_MAX: Final = 20
CHECK_S_MAX: Final = 300  # as the statement_timeout in audit.sql


class Finding(msgspec.Struct, frozen=True):
    """One thing that must not be: which check, about what (an id), and what was found."""

    check: str
    subject: str
    detail: str


async def audit(connection: asyncpg.Connection) -> list[Finding]:
    """What is wrong in the books; empty when nothing is. At most 20 findings of each check.

    One read-only snapshot, which takes no part in conflicts, so it may run beside any load. Reads whole tables.
    """
    findings = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_PREPARE.sql)
        for check, query in CHECKS.items():
            rows = await connection.fetch(query.sql, FINDINGS_PER_CHECK_MAX, timeout=CHECK_S_MAX)
            findings += [Finding(check, row["subject"], row["detail"]) for row in rows]
    return findings
