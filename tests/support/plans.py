"""Plans of the product's statements: which statements there are, and how many pages of the database one reads."""

import ast
import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg

from tests.support.stores import ROOT

PRODUCT: Final = ("api", "worker", "rt", "config")
# Run as the owner: by `make migrate`, and by `python -m api.admin`.
OWNERS: Final = (
    "api/reference/queries.sql: upsert",
    "api/reference/queries.sql: delete",
    "api/reference/queries.sql: retire",
    "api/reference/queries.sql: give",
    "api/admin.sql: ",
)
# Their first parameter is who asks, and they answer nobody else.
ASKED_BY_FIRST: Final = (
    "api/accounts/queries.sql: insert_user",
    "api/challenges/queries.sql: join",
    "api/channels/queries.sql: ",
    "api/community/queries.sql: ",
    "api/feed/queries.sql: following_page",
    "api/feed/queries.sql: profile_page",
    "api/highfives/queries.sql: send_high_five",
    "api/operators/queries.sql: ",
    "api/privacy/queries.sql: erase_user",
    "api/progress/queries.sql: achieved",
    "api/standings/queries.sql: ",
)
_VERBS: Final = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ")


def named_statements() -> dict[str, str]:
    """Every named statement of the product's `.sql` files, by `folder/file: name`."""
    found = {}
    for package in PRODUCT:
        for path in sorted((ROOT / package).rglob("*.sql")):
            parts = path.read_text("utf-8").split("-- name: ")[1:]
            for part in parts:
                name, _, text = part.partition("\n")
                found[f"{path.relative_to(ROOT).as_posix()}: {name.strip()}"] = text.strip().rstrip(";")
    return found


def inline_statements() -> Iterator[tuple[str, str]]:
    """(file, statement) of every string in the product's code that is SQL."""
    for package in PRODUCT:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_sql(node.value):
                    yield path.relative_to(ROOT).as_posix(), node.value


def _is_sql(text: str) -> bool:
    return text.lstrip().startswith(_VERBS) and text.strip() not in ("SELECT", "WITH")


async def pages_read(
    connection: asyncpg.Connection, sql: str, args: tuple[Any, ...], mode: str, viewer: UUID | None = None
) -> int:
    """Shared buffers that one execution of `sql` reads, from memory or disk, under a `plan_cache_mode`, as `viewer`.
    What it writes is rolled back. The plan is that of a prepared statement, as the product's are."""
    transaction = connection.transaction(isolation="serializable")
    await transaction.start()
    try:
        await connection.execute(
            f"SET LOCAL plan_cache_mode TO {mode}; SET LOCAL musclemap.user_id TO '{viewer or ''}'"
        )
        await connection.execute(f"PREPARE explained AS {sql}")
        values = f"({', '.join(map(_literal, args))})" if args else ""
        rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE explained{values}")
    finally:
        await transaction.rollback()
        await connection.execute("DEALLOCATE explained")
    plan = json.loads(rows[0][0])[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int() | float():
            return str(value)
        case bytes():
            return f"'\\x{value.hex()}'"
        case list():
            return f"'{{{','.join(_element(one) for one in value)}}}'"
        case UUID() | str() | Path():
            return "'" + str(value).replace("'", "''") + "'"
        case date():  # datetime among them
            return f"'{value.isoformat()}'"
    raise TypeError(type(value).__name__)


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''") + '"'
