"""The use cases of entitlements: say what a user may do, take what the payment provider tells."""

from datetime import datetime
from uuid import UUID

import structlog

from api.entitlements import store
from api.entitlements.facts import Checkout, Ignored, read
from api.entitlements.rules import Entitlement
from api.outbox import Wake
from config.db.database import Database
from config.errors import Unauthenticated
from config.metrics import PAYMENT_EVENTS

log = structlog.get_logger()


class Entitlements:
    """Use cases over one database."""

    def __init__(self, db: Database, wake: Wake) -> None:
        self._db = db
        self._wake = wake

    async def of_user(self, user_id: UUID, now: datetime) -> Entitlement:
        """What a user may do at `now`. Raises Unauthenticated where the account is gone."""
        found = await store.entitlement(self._db, user_id, now)
        if found is None:
            raise Unauthenticated
        return found

    async def take(self, body: bytes, now: datetime) -> str:
        """Takes an event whose signature is good; what became of it, for the log. Raises RetryLater while the database
        is away, and nothing else: an event that cannot be used would come again for days."""
        fact = read(body)
        if isinstance(fact, Ignored):
            outcome, kind, suspect = fact.reason, fact.type, fact.defect
        else:
            outcome, kind = await store.take(self._db, fact, now), fact.event.type
            self._wake.soon()
            if isinstance(fact, Checkout) and fact.defect and outcome == "taken":
                outcome = fact.defect
            suspect = outcome not in ("taken", "repeated")
        (log.warning if suspect else log.info)("payment_event", type=kind, outcome=outcome)
        PAYMENT_EVENTS.labels(outcome).inc()
        return outcome
