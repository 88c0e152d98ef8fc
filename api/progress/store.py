"""Progress in PostgreSQL: rows to values; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from api.progress.rules import Achieved, Streak, streak_of
from config.db.database import Database, Transaction
from config.db.queries import load_queries

_QUERIES: Final = load_queries(__file__)
_STREAK: Final = _QUERIES["streak"]
_ACHIEVED: Final = _QUERIES["achieved"]
_TIME_ZONES: Final = _QUERIES["time_zones"]
_SET_TIME_ZONE: Final = _QUERIES["set_time_zone"]
_SET_ARCHETYPE: Final = _QUERIES["set_archetype"]


async def streak(db: Database, user_id: UUID, now: datetime) -> Streak | None:
    """The streak of a user, or None where there is no such user."""
    row = await db.fetchrow(_STREAK, user_id, now)
    return None if row is None else streak_of(row["days"], row["last"], row["longest"], row["last_date"], row["today"])


async def achieved(db: Database, viewer: UUID | None, users: Sequence[UUID], now: datetime) -> dict[UUID, Achieved]:
    """What those of `users` whom the viewer may see have chosen and earned; nothing for the others."""
    found = {
        row["id"]: Achieved(row["archetype_id"], tuple(zip(row["achievements"], row["earned"], strict=True)))
        for row in await db.fetch(_ACHIEVED, viewer, users, now)
    }
    return {user: found.get(user, Achieved(None, ())) for user in users}


async def time_zones(db: Database) -> frozenset[str]:
    """The names of time zones that the server knows."""
    return frozenset(row["name"] for row in await db.fetch(_TIME_ZONES))


async def set_time_zone(db: Database, user_id: UUID, zone: str, now: datetime, changes_max: int, event_id: UUID) -> str:
    """What happened, as the SQL function of this name lists it. Raises RetryLater."""
    row = await db.call(_SET_TIME_ZONE, user_id, zone, now, changes_max, event_id, lane=user_id, twins=frozenset())
    outcome: str = row["outcome"]
    return outcome


async def set_archetype(tx: Transaction, user_id: UUID, archetype: UUID, now: datetime) -> bool:
    """False where there is no such user."""
    return await tx.fetchval(_SET_ARCHETYPE, user_id, archetype, now) is not None
