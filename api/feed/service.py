"""The use case of feeds: a page of one channel."""

from api.feed import store
from api.feed.rules import FeedEvent, FeedPage, decode_position, event_of
from api.pages import page_size
from config.db.database import Database
from config.errors import BadInput
from rt.feed.positions import Position
from rt.wire.channels import Channel


class Feeds:
    """Use cases over one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(self, channel: Channel, first: int | None = None, after: str | None = None) -> FeedPage:
        """A page of the numbered events of `channel`, newest first, from the cursor `after` on. The caller has checked
        that the reader may read it. Raises BadInput, also for a cursor from before a restore."""
        size = page_size(first)
        start = None if after is None else decode_position(after)
        found = await store.page(self._db, channel, start.offset if start else None, size + 1)
        if start is not None and start.epoch != found.epoch:
            raise BadInput("after: the feed was numbered anew since; start from its newest page", "after")
        events = tuple(
            FeedEvent(Position(found.epoch, one.offset), event_of(channel, one.body, derived=one.derived))
            for one in found.events[:size]
        )
        return FeedPage(events, Position(found.epoch, found.head), len(found.events) > size)
