"""The use cases of feeds: a page of one channel, of somebody's profile, of all whom one follows."""

from uuid import UUID

from api.feed import store
from api.feed.rules import (
    FeedEvent,
    FeedPage,
    MergedEvent,
    MergedPage,
    decode_event,
    decode_position,
    event_of,
    profile_feed,
)
from api.feed.store import StoredPage
from api.pages import page_size
from config.db.database import Database
from config.errors import BadInput, NotFound
from rt.feed.positions import Position
from rt.wire.channels import Channel


class Feeds:
    """Use cases over one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(self, channel: Channel, first: int | None = None, after: str | None = None) -> FeedPage:
        """A page of the numbered events of `channel`, newest first, from the cursor `after` on. The caller has checked
        that the reader may read it. Raises BadInput, also for a cursor from before a restore."""
        size, start = page_size(first), _start(after)
        found = await store.page(self._db, channel, start.offset if start else None, size + 1)
        return _page(channel, found, start, size)

    async def profile(self, viewer: UUID, user: UUID, first: int | None = None, after: str | None = None) -> FeedPage:
        """A page of what a user's followers may read. Raises NotFound where the viewer is none, and as `page`."""
        size, start = page_size(first), _start(after)
        found = await store.profile_page(self._db, viewer, user, start.offset if start else None, size + 1)
        if found is None:
            raise NotFound
        return _page(profile_feed(user), found, start, size)

    async def following(self, viewer: UUID, first: int | None = None, after: str | None = None) -> MergedPage:
        """A page of what all whom the viewer follows let their followers read, newest first. Raises BadInput."""
        size = page_size(first)
        before = None if after is None else decode_event(after)
        rows = await store.following_page(self._db, viewer, before, size + 1)
        events = tuple(
            MergedEvent(event_of(profile_feed(viewer), row.body, derived=row.derived)) for row in rows[:size]
        )
        return MergedPage(events, len(rows) > size)


def _start(after: str | None) -> Position | None:
    return None if after is None else decode_position(after)


def _page(channel: Channel, found: StoredPage, start: Position | None, size: int) -> FeedPage:
    if start is not None and start.epoch != found.epoch:
        raise BadInput("after: the feed was numbered anew since; start from its newest page", "after")
    events = tuple(
        FeedEvent(Position(found.epoch, one.offset), event_of(channel, one.body, derived=one.derived))
        for one in found.events[:size]
    )
    return FeedPage(events, Position(found.epoch, found.head), len(found.events) > size)
