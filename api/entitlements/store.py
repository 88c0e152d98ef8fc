"""Entitlements in PostgreSQL: rows to values; decides nothing."""

from datetime import datetime
from typing import Final
from uuid import UUID

from api.entitlements.rules import Entitlement, entitlement_of
from config.db.database import Database
from config.db.queries import load_queries

_QUERIES: Final = load_queries(__file__)
_ENTITLEMENTS: Final = _QUERIES["entitlements"]


async def entitlement(db: Database, user_id: UUID, now: datetime) -> Entitlement | None:
    """What a user may do at `now`, or None where there is no such user."""
    row = await db.fetchrow(_ENTITLEMENTS, user_id, now)
    return None if row is None else entitlement_of(row["unlimited_reason"], row["trial_ends_at"], row["credits"])
