"""Flags in PostgreSQL: rows to values; decides nothing."""

from collections.abc import Sequence
from typing import Any, Final

from api.flags.rules import State
from config.db.database import Database
from config.db.queries import load_queries

_QUERIES: Final = load_queries(__file__)
_FLAGS: Final = _QUERIES["flags"]


async def states(db: Database, keys: Sequence[str]) -> dict[str, State]:
    """What these flags are set to, those that are."""
    return {row["key"]: state_of(row) for row in await db.fetch(_FLAGS, list(keys))}


def state_of(row: Any) -> State:
    """A row of a flag with its version; version 0 is no row, and nothing set."""
    named = frozenset(row["allowed"] or ()), frozenset(row["denied"] or ())
    return State(row["enabled"], row["percent"], *named, row["version"])
