"""Numbered events in PostgreSQL: rows to values; decides nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from config.db.database import Database
from config.db.queries import load_queries
from rt.wire.channels import Channel

_QUERIES: Final = load_queries(__file__)
_PAGE: Final = _QUERIES["page"]
_PROFILE_PAGE: Final = _QUERIES["profile_page"]
_FOLLOWING_PAGE: Final = _QUERIES["following_page"]

_RS: Final = b"\x1e"


class StoredEvent(NamedTuple):
    """One event as it is kept; `derived`: `body` is the owner's text, of which the followers' is made."""

    offset: int
    body: bytes
    derived: bool


class StoredBody(NamedTuple):
    """One event of a merged feed as it is kept; `derived` as above."""

    body: bytes
    derived: bool


class StoredPage(NamedTuple):
    """Events newest first; `head` is the newest offset of the channel, 0 where it never had an event."""

    epoch: str
    head: int
    events: list[StoredEvent]


async def page(db: Database, channel: Channel, before: int | None, limit: int) -> StoredPage:
    """At most `limit` events below the offset `before`, or the newest."""
    row = await db.fetchrow(_PAGE, channel.namespace, channel.name, before, limit)
    if row["offsets"] is None:
        return StoredPage(row["epoch"], row["head"], [])
    derived = frozenset(row["derived"] or ())
    bodies = zip(row["offsets"], row["bodies"].encode().split(_RS), strict=True)
    return StoredPage(row["epoch"], row["head"], [StoredEvent(at, body, at in derived) for at, body in bodies])


async def profile_page(db: Database, viewer: UUID, user: UUID, before: int | None, limit: int) -> StoredPage | None:
    """The same of what a user's followers may read; None where the viewer may not."""
    rows = await db.fetch(_PROFILE_PAGE, viewer, user, before, limit)
    return _page(rows) if rows else None


async def following_page(db: Database, viewer: UUID, before: UUID | None, limit: int) -> list[StoredBody]:
    """At most `limit` events of all whom the viewer follows, below the event `before`, or the newest."""
    rows = await db.fetch(_FOLLOWING_PAGE, viewer, before, limit)
    return [StoredBody(row["body"].encode(), row["derived"]) for row in rows]


def _page(rows: Sequence[Mapping[str, Any]]) -> StoredPage:
    numbered = [row for row in rows if row["offset"] is not None]
    events = [StoredEvent(row["offset"], row["body"].encode(), row["derived"]) for row in numbered]
    return StoredPage(rows[0]["epoch"], rows[0]["head"], events)
