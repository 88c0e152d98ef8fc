"""The use case of entitlements: say what a user may do."""

from datetime import datetime
from uuid import UUID

from api.entitlements import store
from api.entitlements.rules import Entitlement
from config.db.database import Database
from config.errors import Unauthenticated


class Entitlements:
    """Use cases over one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_user(self, user_id: UUID, now: datetime) -> Entitlement:
        """What a user may do at `now`. Raises Unauthenticated where the account is gone."""
        found = await store.entitlement(self._db, user_id, now)
        if found is None:
            raise Unauthenticated
        return found
