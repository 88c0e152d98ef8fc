"""Slow statements: counted by name, and told in the log with their plan, without a value that anybody gave.

The plan is asked for afterwards, by a task of its own, and runs nothing: it is the one for any values, with `$1` where
one would stand. Of a function of the database it names the function, and not what is inside.
"""

import asyncio
import re
import time
from typing import Final
from uuid import uuid4

import asyncpg
import structlog

from config.db.postgres import ERRORS
from config.db.queries import Query
from config.limits import SLOW_PLAN_EVERY_S, SLOW_SAID_EVERY_S
from config.metrics import FAILURES, SLOW_STATEMENTS

log = structlog.get_logger()

SLOW_LOOK_S: Final = 1.0  # at most one plan is asked for in this time
_PLAN_S: Final = 2.0  # and it may take so long: it waits for whoever changes its tables
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL plan_cache_mode TO force_generic_plan"
_PARAMETER: Final = re.compile(r"\$(\d+)")


class SlowStatements:
    """Those of one process. What it remembers is bounded by the number of named statements."""

    def __init__(self) -> None:
        self.over_s = 0.1
        self._said: dict[str, tuple[float, int]] = {}  # name -> when, steady clock, and how many unsaid ones since
        self._planned: dict[str, float] = {}  # name -> when its plan was wanted last
        self._wanted: dict[str, Query] = {}

    def saw(self, query: Query, took_s: float) -> None:
        """One execution took too long. Each counts; one in SLOW_SAID_EVERY_S is told, by name."""
        SLOW_STATEMENTS.labels(query.name).inc()
        now = time.monotonic()
        said_at, unsaid = self._said.get(query.name, (-SLOW_SAID_EVERY_S, 0))
        if now - said_at < SLOW_SAID_EVERY_S:
            self._said[query.name] = said_at, unsaid + 1
            return
        self._said[query.name] = now, 0
        log.warning("slow_statement", query=query.name, ms=round(took_s * 1000), unsaid=unsaid)
        if now - self._planned.get(query.name, -SLOW_PLAN_EVERY_S) >= SLOW_PLAN_EVERY_S:
            self._planned[query.name] = now
            self._wanted[query.name] = query

    async def run(self, pool: asyncpg.Pool, over_ms: int) -> None:
        """Tells the plans that are wanted, for as long as the process lives. What takes over `over_ms` is slow."""
        self.over_s = over_ms / 1000
        while True:
            await asyncio.sleep(SLOW_LOOK_S)
            if not self._wanted:
                continue
            name, query = next(iter(self._wanted.items()))
            try:
                async with asyncio.timeout(_PLAN_S), pool.acquire() as connection:
                    plan = await plan_of(connection, query.sql)
            except ERRORS as error:
                FAILURES.labels("slow_plans").inc()
                plan = f"no plan: {type(error).__name__}"
            self._wanted.pop(name, None)
            log.warning("slow_statement_plan", query=name, plan=plan)


async def plan_of(connection: asyncpg.Connection, sql: str) -> str:
    """The plan of a statement for any values, a line each node; nothing of it is run. A connection on which that fails
    is ended, so that nothing prepared stays on it."""
    name = f"explained_{uuid4().hex}"
    parameters = max(map(int, _PARAMETER.findall(sql)), default=0)
    values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    try:
        await connection.execute(f"{_BEGIN}; PREPARE {name} AS {sql}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE {name}{values}")
        await connection.execute(f"DEALLOCATE {name}; ROLLBACK")
    except BaseException:
        connection.terminate()
        raise
    return "\n".join(row[0] for row in rows)


slow: Final = SlowStatements()
