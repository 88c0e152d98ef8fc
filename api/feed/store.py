"""Numbered events in PostgreSQL: rows to values; decides nothing."""

from typing import Final, NamedTuple

from config.db.database import Database
from config.db.queries import load_queries
from rt.wire.channels import Channel

_QUERIES: Final = load_queries(__file__)
_PAGE: Final = _QUERIES["page"]


class StoredEvent(NamedTuple):
    """One event as it is kept; `derived`: `body` is the owner's text, of which the followers' is made."""

    offset: int
    body: bytes
    derived: bool


class StoredPage(NamedTuple):
    """Events newest first; `head` is the newest offset of the channel, 0 where it never had an event."""

    epoch: str
    head: int
    events: list[StoredEvent]


async def page(db: Database, channel: Channel, before: int | None, limit: int) -> StoredPage:
    """At most `limit` events below the offset `before`, or the newest."""
    rows = await db.fetch(_PAGE, channel.namespace, channel.name, before, limit)
    numbered = [row for row in rows if row["offset"] is not None]
    events = [StoredEvent(row["offset"], row["body"].encode(), row["derived"]) for row in numbered]
    return StoredPage(rows[0]["epoch"], rows[0]["head"], events)
