"""What is no longer true of the answers that APIs keep, as they hear it on DROPS_CHANNEL (rt/wire/bus.py). Pure.

JSON: {"types": [names], "users": [ids], "all": bool}. One that names nothing says that the channel is alive.
"""

from typing import Final

import msgspec

# Types of the API's schema that others than its mutations change.
COMMUNITY_PAGES: Final = "FeedConnection"
LEADERBOARDS: Final = "LeaderboardConnection"

NAMES_MAX: Final = 1_000  # of users in one message; above it everything is dropped


class Drop(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answers with one of these types in them, those that are kept for one of these users, or all there are."""

    types: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    all: bool = False

    def __or__(self, other: "Drop") -> "Drop":
        """Both; everything where they name too many."""
        if self.all or other.all or len(self.users | other.users) > NAMES_MAX:
            return EVERYTHING
        return Drop(self.types | other.types, self.users | other.users)


NOTHING: Final = Drop()
EVERYTHING: Final = Drop(all=True)

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Drop)


def encode_drop(drop: Drop) -> bytes:
    """The message."""
    return _encoder.encode(drop)


def decode_drop(payload: bytes) -> Drop | None:
    """The drop, or None where the payload is none: a foreign publisher must not stop an API."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
