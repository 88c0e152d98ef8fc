"""What Redis needs so that a channel there equals PostgreSQL. Pure. PostgreSQL is always right.

What clients have not heard is appended and published, so that those who are connected miss nothing; what they have
heard is put back silently.
"""

from enum import Enum
from typing import Final

from config.limits import FEED_STREAM_EVENTS, FEED_STREAM_EVENTS_MAX
from rt.feed.positions import Position
from rt.wire.channels import Channel


class Need(Enum):
    """What is to be done about one channel."""

    NOTHING = "nothing"
    APPEND = "append"  # what came after Redis' head, published as if it were new: gateways drop what they have
    REPLACE = "replace"  # everything, from PostgreSQL


# Further behind than this, clients page by GraphQL.
_APPEND_MOST: Final = {True: FEED_STREAM_EVENTS_MAX, False: FEED_STREAM_EVENTS}


def need(channel: Channel, last: int, epoch: str, in_redis: Position | None, dropped: int = 0) -> Need:
    """What `channel` needs whose newest offset in PostgreSQL is `last` in `epoch`, and where nothing is kept up to
    `dropped`; `in_redis` None = not there."""
    if in_redis is None or in_redis.epoch != epoch or not dropped <= in_redis.offset <= last:
        return Need.REPLACE
    missing = last - in_redis.offset
    if missing == 0:
        return Need.NOTHING
    return Need.APPEND if missing <= _APPEND_MOST[channel.is_stream] else Need.REPLACE


def put_back_to(channel: Channel, last: int, heard: int) -> int:
    """The offset up to which a replaced channel is put back silently when clients have heard up to `heard`."""
    return max(heard, last - _APPEND_MOST[channel.is_stream])
