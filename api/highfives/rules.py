"""High fives as values. Pure."""

from uuid import UUID

import msgspec

from config.errors import NotFound
from config.limits import HIGH_FIVE_SHARES


class Tally(msgspec.Struct, frozen=True):
    """Of one rendition of an event: how many high fives it has, and whether the viewer's is among them."""

    high_fives: int
    mine: bool


class Sent(msgspec.Struct, frozen=True):
    """The answer of sendHighFive. `existing`: it was sent before."""

    event_id: UUID
    high_fives: int
    existing: bool


def event_of(text: str) -> UUID:
    """The id of an event. Raises NotFound for a text that is no id of ours: there is no such event."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


def share_of(sender: UUID) -> int:
    """In which of the shares of an event a sender is counted: their ids end by chance."""
    return sender.int % HIGH_FIVE_SHARES
