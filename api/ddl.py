"""How a numbered file of migrations/ is run beside live traffic.

What waits for a lock makes everybody wait who comes after it, so a file waits for its locks for DDL_LOCK_S in all, then
gives way, and is tried again; a backup holds a lock on every table for as long as it reads. A file whose first line is
`-- outside a transaction` is run statement by statement, each of which must bear being run again: an index that was
left half made is dropped and made anew. One of a partitioned table is made partition by partition.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg

from config.limits import DDL_LOCK_S, DDL_TRIES_S

DDL_PAUSE_S: Final = 2  # everybody passes for once to twice this before the next try

Result = TypeVar("Result")

OUTSIDE: Final = "-- outside a transaction"
_LEAST_S: Final = 0.05  # for a lock that nobody holds
_PIECE = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | '(?:[^']|'')*' | "(?:[^"]|"")*" | (?P<tag>\$\w*\$).*?(?P=tag) | (?P<end>;) | .""",
    re.VERBOSE | re.DOTALL,
)
_INDEX = re.compile(
    r"CREATE\s+(?P<unique>UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>\w+)"
    r"\s+ON\s+(?P<table>\w+)\s+(?P<what>.*)",
    re.IGNORECASE | re.DOTALL,
)
_VALID: Final = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
_PARTITIONED: Final = "SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass($1)"
_PARTS_WITHOUT: Final = """
SELECT c.relname FROM pg_inherits AS p JOIN pg_class AS c ON c.oid = p.inhrelid
 WHERE p.inhparent = to_regclass($1) AND NOT EXISTS (
   SELECT FROM pg_inherits AS i JOIN pg_index AS x ON x.indexrelid = i.inhrelid
    WHERE i.inhparent = to_regclass($2) AND x.indrelid = c.oid)
 ORDER BY c.relname"""


class LockedError(Exception):
    """A table was in use for as long as it was tried."""


def quoted(name: str) -> str:
    """A name as an identifier of SQL, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def statements(sql: str) -> list[str]:
    """The statements of a file, without the comments between them."""
    found, begun = [], ""
    for piece in _PIECE.finditer(sql):
        if piece["end"]:
            found.append(begun.strip())
            begun = ""
        elif begun.strip() or not piece[0].startswith(("--", "/*")):
            begun += piece[0]
    return [one for one in (*found, begun.strip()) if one]


async def apply(connection: asyncpg.Connection, sql: str, note: Callable[[], Awaitable[None]]) -> None:
    """Runs a file, and `note`, which remembers it: in one transaction unless its first line says otherwise.

    Raises LockedError, and what PostgreSQL says about a statement.
    """
    if not sql.startswith(OUTSIDE):

        async def whole() -> None:
            await _in_transaction(connection, statements(sql))
            await note()

        await patiently(connection, whole)
        return
    for statement in statements(sql):
        await _outside(connection, statement)
    await note()


async def patiently(connection: asyncpg.Connection, work: Callable[[], Awaitable[Result]]) -> Result:
    """What `work` returns, in a transaction that gives way and is repeated while others hold a lock that it needs."""

    async def attempt() -> Result:
        async with connection.transaction():
            await _wait_for_locks(connection, DDL_LOCK_S)
            return await work()

    return await _repeated(attempt)


async def _in_transaction(connection: asyncpg.Connection, parts: list[str]) -> None:
    """What one statement has locked makes others wait while the next one waits: the time is one for all."""
    end = time.monotonic() + DDL_LOCK_S
    for statement in parts:
        await _wait_for_locks(connection, max(_LEAST_S, end - time.monotonic()))
        await connection.execute(statement)


async def _outside(connection: asyncpg.Connection, statement: str) -> None:
    index = _INDEX.match(statement)
    if index is None:
        # The session's lock_timeout is DDL_LOCK_S; nothing of this statement is left when it gives way.
        await _repeated(lambda: connection.execute(statement))
    elif not await connection.fetchval(_PARTITIONED, index["table"]):
        await _index(connection, index["name"], statement)
    else:
        await _index_of_parts(connection, index)


async def _index_of_parts(connection: asyncpg.Connection, index: re.Match[str]) -> None:
    """Beside live traffic PostgreSQL makes one for a plain table alone: so one for each partition, and one above them,
    which is valid when the last is attached. Partitions that are attached meanwhile bring theirs along."""
    name, unique = index["name"], index["unique"] or ""
    on = f"{index['table']} {index['what']}"
    await _repeated(lambda: connection.execute(f"CREATE {unique}INDEX IF NOT EXISTS {name} ON ONLY {on}"))
    for row in await connection.fetch(_PARTS_WITHOUT, index["table"], name):
        part = f"{row['relname']}_{name.removeprefix(index['table']).lstrip('_')}"
        make = f"CREATE {unique}INDEX CONCURRENTLY {part} ON {row['relname']} {index['what']}"
        await _index(connection, part, make)
        attach = f"ALTER INDEX {name} ATTACH PARTITION {part}"
        await _repeated(lambda attach=attach: connection.execute(attach))  # type: ignore[misc]


async def _index(connection: asyncpg.Connection, name: str, statement: str) -> None:
    valid = await connection.fetchval(_VALID, name)
    if valid:
        return
    # These wait for transactions that began before them, long ones too; nobody waits behind them.
    await connection.execute(f"SET lock_timeout TO '{DDL_TRIES_S}s'")
    try:
        if valid is False:
            await connection.execute(f"DROP INDEX CONCURRENTLY {name}")
        await connection.execute(statement)
    except asyncpg.LockNotAvailableError as error:
        raise LockedError from error
    finally:
        if not connection.is_closed():
            await connection.execute(f"SET lock_timeout TO '{DDL_LOCK_S}s'")


async def _wait_for_locks(connection: asyncpg.Connection, seconds: float) -> None:
    await connection.execute(f"SET LOCAL lock_timeout TO {round(seconds * 1000)}")


async def _repeated(attempt: Callable[[], Awaitable[Result]]) -> Result:
    end = time.monotonic() + DDL_TRIES_S
    while True:
        try:
            return await attempt()
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if time.monotonic() > end:
                raise LockedError from error
        await asyncio.sleep(DDL_PAUSE_S * random.uniform(1, 2))  # noqa: S311 - jitter
