"""The use cases of high fives: send one, count those of the events on a page."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from api.highfives import store
from api.highfives.rules import Sent, Tally, event_of, share_of
from api.idempotency import check_key
from api.loader import Loader
from api.outbox import Wake
from config.db.database import Database
from config.errors import Conflict, Internal, NotFound, RateLimited, Unauthenticated
from config.ids import uuid7
from config.limits import HIGH_FIVES_PER_HOUR_MAX, RETRY_AFTER_S


class HighFives:
    """Use cases over one database, for one viewer; None is nobody."""

    def __init__(self, db: Database, wake: Wake) -> None:
        self._db = db
        self._wake = wake
        self._loaders: dict[UUID | None, Loader[UUID, Tally]] = {}

    async def send(self, sender: UUID, event: str, key: object, now: datetime) -> Sent:
        """Sends a high five for the event that `sender` reads under this id. Event and sender say which one it is: the
        key is looked at and not kept.

        Raises BadInput, NotFound (also for what the sender may not read), Conflict (one's own), RateLimited,
        Unauthenticated (the user is gone), RetryLater.
        """
        check_key(key)
        event_id = event_of(event)
        stored = await store.send_high_five(
            self._db, sender, event_id, uuid7(), share_of(sender), HIGH_FIVES_PER_HOUR_MAX, now
        )
        match stored:
            case store.Stored("sent" | "existing" as outcome):
                if outcome == "sent":
                    self._wake.soon()
                # Counted by itself: whoever counts and writes at once fails all others who do.
                tally = (await store.tallies(self._db, [event_id], sender))[event_id]
                return Sent(event_id, tally.high_fives, outcome == "existing")
            case store.Stored("own"):
                raise Conflict("This event is your own")
            case store.Stored("unknown_event"):
                raise NotFound
            case store.Stored("limited", retry_s):
                raise RateLimited("Too many high fives for now", max(retry_s or 0, RETRY_AFTER_S))
            case store.Stored("unknown_user"):
                raise Unauthenticated
            case _:
                raise Internal

    async def tallies(self, events: Sequence[UUID], viewer: UUID | None) -> list[Tally]:
        """Of each event on a page; those of all events that are asked for in one turn are read at once."""

        async def load(events: Sequence[UUID]) -> dict[UUID, Tally]:
            return await store.tallies(self._db.by_replica, events, viewer)

        return await self._loaders.setdefault(viewer, Loader(load)).get_all(events)
