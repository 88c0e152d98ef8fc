"""The use cases of feeds: a page of one channel, of somebody's profile, of all whom one follows."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from api.feed import store
from api.feed.rules import (
    FeedEvent,
    FeedPage,
    MergedPage,
    decode_event,
    decode_position,
    event_of,
    feed_event,
    profile_feed,
)
from api.feed.store import StoredPage
from api.pages import encode_cursor, page_size
from config.db.database import Database
from config.errors import BadInput, NotFound
from config.redis import AWAY
from rt.feed.positions import Position
from rt.feed.store import FeedStore
from rt.wire.channels import Channel


class Feeds:
    """Use cases over one database. `live` says how far a channel's stream has come: without it no replica is asked."""

    def __init__(self, db: Database, live: FeedStore | None = None) -> None:
        self._db = db
        self._live = live

    async def page(self, channel: Channel, first: int | None = None, after: str | None = None) -> FeedPage:
        """A page of the numbered events of `channel`, newest first, from the cursor `after` on. The caller has checked
        that the reader may read it. Raises BadInput, also for a cursor from before a restore."""
        size, start = page_size(first), _start(after)
        before = start.offset if start else None
        found = await self._whole(channel, lambda db: store.page(db, channel, before, size + 1))
        if found is None:
            raise NotFound
        return _page(channel, found, start, size)

    async def profile(self, viewer: UUID, user: UUID, first: int | None = None, after: str | None = None) -> FeedPage:
        """A page of what a user's followers may read. Raises NotFound where the viewer is none, and as `page`."""
        size, start = page_size(first), _start(after)
        before = start.offset if start else None
        channel = profile_feed(user)
        found = await self._whole(channel, lambda db: store.profile_page(db, viewer, user, before, size + 1))
        if found is None:
            raise NotFound
        return _page(channel, found, start, size)

    async def following(self, viewer: UUID, first: int | None = None, after: str | None = None) -> MergedPage:
        """A page of what all whom the viewer follows let their followers read, newest first. Raises BadInput."""
        size = page_size(first)
        before = None if after is None else decode_event(after)
        rows = await store.following_page(self._db.by_replica, viewer, before, size + 1)
        read = [event_of(profile_feed(viewer), row.body, derived=row.derived) for row in rows[:size]]
        return MergedPage(tuple(FeedEvent(one, encode_cursor(one.id)) for one in read), len(rows) > size)

    async def _whole(
        self, channel: Channel, page: Callable[[Database], Awaitable[StoredPage | None]]
    ) -> StoredPage | None:
        """A page of `channel`, by the replica where that has all that the live stream has told already: who reads on
        from a place of the stream finds no hole. What the viewer may not read there the primary is asked for."""
        replica = self._db.by_replica
        if replica is self._db or self._live is None:
            return await page(self._db)
        try:
            live = await self._live.head(channel)
        except AWAY:
            return await page(self._db)
        found = await page(replica)
        told = found is not None and (live is None or (live.epoch == found.epoch and live.offset <= found.head))
        return found if told else await page(self._db)


def _start(after: str | None) -> Position | None:
    return None if after is None else decode_position(after)


def _page(channel: Channel, found: StoredPage, start: Position | None, size: int) -> FeedPage:
    if start is not None and start.epoch != found.epoch:
        raise BadInput("after: the feed was numbered anew since; start from its newest page", "after")
    events = [
        feed_event(channel, Position(found.epoch, one.offset), one.body, derived=one.derived)
        for one in found.events[:size]
    ]
    return FeedPage(tuple(events), Position(found.epoch, found.head), len(found.events) > size)
