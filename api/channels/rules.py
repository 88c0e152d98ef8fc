"""Which channels tokens are given for, and what one says. Pure."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from config.errors import BadInput, RateLimited
from config.limits import CHANNEL_TOKEN_S_MAX, CHANNEL_TOKENS_MAX, CLOCK_LEEWAY_S
from rt.wire.channels import ChannelKind, parse


class ChannelToken(msgspec.Struct, frozen=True):
    """A token for one channel (its wire name)."""

    channel: str
    token: str
    expires_at: datetime


class Times(msgspec.Struct, frozen=True):
    """When a token is issued and ends, in unix seconds."""

    issued_at: int
    expires_at: int


def owners_of(channels: Iterable[str]) -> dict[UUID, str]:
    """The owners of the profiles among these channels, each once, with the channel. Raises BadInput for too many."""
    wanted = list(channels)
    if len(wanted) > CHANNEL_TOKENS_MAX:
        raise BadInput(f"channels: at most {CHANNEL_TOKENS_MAX}", "channels")
    owners = {}
    for wire in wanted:
        channel = parse(wire)
        if channel is not None and channel.kind is ChannelKind.PROFILE and (owner := _id(channel.owner)) is not None:
            owners[owner] = wire
    return owners


def times_of(now: float, void_before: int) -> Times:
    """Of a token that is given out at `now` (unix s), where those that were issued up to `void_before` are void: it is
    issued behind that. Raises RateLimited where no gateway would take it yet: somebody came and went many times."""
    issued_at = max(int(now), void_before + 1)
    if issued_at > now + CLOCK_LEEWAY_S * 0.9:
        raise RateLimited("This changed too often; try again soon", int(issued_at - now - CLOCK_LEEWAY_S * 0.9) + 1)
    return Times(issued_at, int(now) + CHANNEL_TOKEN_S_MAX)


def _id(text: str | None) -> UUID | None:
    """An id in the one spelling that channels have."""
    try:
        found = UUID(text or "")
    except ValueError:
        return None
    return found if str(found) == text else None
