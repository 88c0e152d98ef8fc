"""The use case of feeds: a page of one channel."""

from typing import Any, Final

import orjson

from api.feed.rules import FeedEvent, FeedPage, Position, decode_position
from api.pages import page_size
from config.db.database import Database
from config.db.queries import load_queries
from config.errors import BadInput
from config.events.anonymous import renewed
from config.events.followers import of_owner
from rt.wire.channels import COMMUNITY, Channel

_PAGE: Final = load_queries(__file__)["page"]


async def page(db: Database, channel: Channel, first: int | None = None, after: str | None = None) -> FeedPage:
    """A page of the numbered events of `channel`, newest first, from the cursor `after` on. The caller has checked
    that the reader may read it. Raises BadInput, also for a cursor from before a restore."""
    size = page_size(first)
    start = None if after is None else decode_position(after)
    rows = await db.fetch(_PAGE, channel.namespace, channel.name, start.offset if start else None, size + 1)
    epoch, head = rows[0]["epoch"], rows[0]["head"]
    if start is not None and start.epoch != epoch:
        raise BadInput("after: the feed was numbered anew since; start from its newest page", "after")
    numbered = [row for row in rows if row["offset"] is not None]
    bodies = [orjson.loads(_text(row)) for row in numbered[:size]]
    if channel == COMMUNITY:
        bodies = [renewed(body) for body in bodies]
    events = tuple(FeedEvent(Position(epoch, row["offset"]), body) for row, body in zip(numbered, bodies, strict=False))
    return FeedPage(events, Position(epoch, head), len(numbered) > size)


def _text(row: Any) -> bytes:
    body: bytes = row["body"].encode()
    return of_owner(body) if row["derived"] else body
