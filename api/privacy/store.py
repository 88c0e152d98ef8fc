"""What is kept of somebody, and its end, in PostgreSQL; decides nothing."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from api.privacy.rules import SECTIONS
from config.db.database import Database, Transaction
from config.db.queries import load_queries
from config.limits import EXPORT_BYTES_MAX

ROWS_AT_ONCE: Final = 200  # of an export: some 400 KB, and the loop has a turn
ERASURES_AT_ONCE: Final = 100

_QUERIES: Final = load_queries(__file__)
_PROFILE: Final = _QUERIES["profile"]
_ERASE_USER: Final = _QUERIES["erase_user"]
_ERASURES: Final = _QUERIES["erasures"]
_TAKE_TURN: Final = _QUERIES["take_turn"]
_SETTLE_ERASURE: Final = _QUERIES["settle_erasure"]
_LISTS: Final = {name: query for name, query in _QUERIES.items() if name in SECTIONS}


class TooLargeError(Exception):
    """There is more than EXPORT_BYTES_MAX."""


class Erased(NamedTuple):
    """An account that has ended: its pseudonym, the sessions that nobody may use any more, and up to when channel
    tokens for its profile are void (unix s)."""

    account: UUID
    sessions: list[UUID]
    void_before: int


class Erasure(NamedTuple):
    """A user who is gone and whom Redis may still know; `told`: channels of others that told of them."""

    user_id: UUID
    told: list[str]


async def export(tx: Transaction, user_id: UUID) -> tuple[str, dict[str, list[str]]] | None:
    """The profile and each section's rows, as JSON; None where there is no such user. Raises TooLargeError."""
    profile = await tx.fetchrow(_PROFILE, user_id)
    if profile is None:
        return None
    sections: dict[str, list[str]] = {}
    size = 0
    for name in SECTIONS:
        kept = sections[name] = []
        async for rows in tx.pages(_LISTS[name], user_id, profile["account_id"], size=ROWS_AT_ONCE):
            kept += (row["json"] for row in rows)
            size += sum(len(row["json"]) for row in rows)
            if size > EXPORT_BYTES_MAX:
                raise TooLargeError
    return profile["json"], sections


async def erase(tx: Transaction, user_id: UUID, password_hash: str, now: datetime) -> Erased | None:
    """Ends an account whose password has this hash; None where there is none."""
    row = await tx.fetchrow(_ERASE_USER, user_id, password_hash, now)
    return None if row["account"] is None else Erased(row["account"], row["ended"], row["void_before"])


async def take_turn(db: Database, user_id: UUID, what: str, now: datetime, window_s: float) -> tuple[int, datetime]:
    """How often a user has done this in the window, this time included, and when that began."""
    row = await db.once(_TAKE_TURN, user_id, what, now, now - timedelta(seconds=window_s))
    return row["taken"], row["began_at"]


async def erasures(db: Database) -> list[Erasure]:
    """Those that are not settled, the oldest."""
    return [Erasure(row["user_id"], row["told"]) for row in await db.fetch(_ERASURES, ERASURES_AT_ONCE)]


async def settle(db: Database, user_id: UUID, clean: bool, before: datetime) -> bool:
    """Whether nothing is left to be done for a user who is gone: see settle_erasure."""
    return bool((await db.once(_SETTLE_ERASURE, user_id, clean, before))[0])
