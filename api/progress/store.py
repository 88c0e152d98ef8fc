"""Progress in PostgreSQL: rows to values; decides nothing."""

from datetime import datetime
from typing import Final
from uuid import UUID

from api.progress.rules import Streak, streak_of
from config.db.database import Database, Transaction
from config.db.queries import load_queries

_QUERIES: Final = load_queries(__file__)
_STREAK: Final = _QUERIES["streak"]
_ACHIEVEMENTS: Final = _QUERIES["achievements"]
_TIME_ZONES: Final = _QUERIES["time_zones"]
_SET_TIME_ZONE: Final = _QUERIES["set_time_zone"]
_SET_ARCHETYPE: Final = _QUERIES["set_archetype"]


async def streak(db: Database, user_id: UUID, now: datetime) -> Streak | None:
    """The streak of a user, or None where there is no such user."""
    row = await db.fetchrow(_STREAK, user_id, now)
    return None if row is None else streak_of(row["days"], row["last"], row["longest"], row["last_date"], row["today"])


async def achievements(db: Database, user_id: UUID) -> list[tuple[UUID, datetime]]:
    """Ids of the achievements that a user has, and since when."""
    return [(row["achievement_id"], row["earned_at"]) for row in await db.fetch(_ACHIEVEMENTS, user_id)]


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
