"""The use case of entitlements: say what a user may do."""

from datetime import datetime
from typing import Final
from uuid import UUID

from api.entitlements import rules
from api.entitlements.rules import Entitlements
from config.db.database import Database
from config.db.queries import load_queries
from config.errors import Unauthenticated

_ENTITLEMENTS: Final = load_queries(__file__)["entitlements"]


async def entitlements(db: Database, user_id: UUID, now: datetime) -> Entitlements:
    """What a user may do at `now`. Raises Unauthenticated where the account is gone."""
    row = await db.fetchrow(_ENTITLEMENTS, user_id, now)
    if row is None:
        raise Unauthenticated
    return rules.entitlements(row["unlimited_reason"], row["trial_ends_at"], row["credits"])
