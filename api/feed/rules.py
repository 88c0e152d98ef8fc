"""Positions of feed pages, and who may read which feed. Pure.

A cursor stands for `{epoch}:{offset}`, the position that the gateway also uses, so that a page and the live stream
join without a hole or a repeat.
"""

import re
from functools import lru_cache
from typing import Final
from uuid import UUID

import msgspec

from api.pages import bad_cursor, decode_cursor, encode_cursor
from config.events import anonymous, followers
from rt.feed.positions import Position
from rt.wire.channels import COMMUNITY, Channel, profile_channel, user_channel

EVENTS_KEPT: Final = 1_000  # of the community, read already: some 2 KB each

_POSITION = re.compile(r"([0-9A-Za-z_-]{1,64}):([0-9]{1,16})")


class Event(msgspec.Struct, frozen=True):
    """One event as its channel's readers hear it; `data` is text as it is stored, which nobody here reads."""

    id: str
    type: str
    created_at: str
    data: msgspec.Raw
    actor: dict[str, str] | None = None
    v: int = 1


_decode: Final = msgspec.json.Decoder(Event).decode


class FeedEvent(msgspec.Struct, frozen=True):
    """One event of a feed. `cursor`: of its position (cursor_of); where the feed is merged of several, of its id, which
    rises with time."""

    event: Event
    cursor: str


class FeedPage(msgspec.Struct, frozen=True):
    """Events newest first; `position` is the newest of the whole channel, also when there is no event."""

    events: tuple[FeedEvent, ...]
    position: Position
    has_next: bool


class MergedPage(msgspec.Struct, frozen=True):
    """The same of a merged feed, which has no position."""

    events: tuple[FeedEvent, ...]
    has_next: bool
    position: None = None


def cursor_of(position: Position) -> str:
    """What stands for the position in pages."""
    return encode_cursor(f"{position.epoch}:{position.offset}")


def decode_position(cursor: str) -> Position:
    """The position that a cursor stands for. Raises BadInput."""
    match = _POSITION.fullmatch(decode_cursor(cursor, 1)[0])
    if match is None:
        raise bad_cursor()
    return Position(match[1], int(match[2]))


def decode_event(cursor: str) -> UUID:
    """The event that a cursor of a merged feed stands for. Raises BadInput."""
    try:
        return UUID(decode_cursor(cursor, 1)[0])
    except ValueError:
        raise bad_cursor() from None


def feed_event(channel: Channel, position: Position, body: bytes, *, derived: bool) -> FeedEvent:
    """A stored event as a page of `channel` shows it. What the community hears has nobody's name in it and never
    changes, and everybody reads the same newest ones: those are kept, by all that they are made of."""
    if channel == COMMUNITY:
        return _of_community(*position, body, derived)
    return FeedEvent(event_of(channel, body, derived=derived), cursor_of(position))


@lru_cache(EVENTS_KEPT)
def _of_community(epoch: str, offset: int, body: bytes, derived: bool) -> FeedEvent:
    return FeedEvent(event_of(COMMUNITY, body, derived=derived), cursor_of(Position(epoch, offset)))


def event_of(channel: Channel, body: bytes, *, derived: bool) -> Event:
    """What readers of the channel hear of a stored event; `derived`: the body is its owner's."""
    event = _decode(followers.of_owner(body) if derived else body)
    if channel == COMMUNITY and not anonymous.is_current(event.type, event.v):
        return _decode(anonymous.renewed_text(body))
    return event


def community_feed() -> Channel:
    """What everybody may read."""
    return COMMUNITY


def profile_feed(user_id: UUID) -> Channel:
    """What the followers of a user may read."""
    return profile_channel(str(user_id))


def dashboard(viewer_id: UUID) -> Channel:
    """Every event of the viewer, and those addressed to the viewer: nobody else reads it."""
    return user_channel(str(viewer_id))
