"""Every message that a client may send (rt/wire/asyncapi.yaml), decoded and validated in one step. Pure.

A message is one JSON object with a string `type`; unknown fields are ignored. What cannot be a message at all is
MALFORMED (the socket closes 4501), what is one but not a good one is a Problem (it is answered with `error`).
"""

from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from h3.api import basic_int as h3
from msgspec import Meta

from config.limits import (
    CELL_RESOLUTION,
    CHANNEL_CHARS_MAX,
    EPOCH_CHARS_MAX,
    MESSAGE_ID_CHARS_MAX,
    SLUG_CHARS_MAX,
    TOKEN_CHARS_MAX,
)
from rt.wire.audience import Audience

# 64 bits: what every JSON writer can give back unchanged.
_WholeId = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_TextId = Annotated[str, Meta(max_length=MESSAGE_ID_CHARS_MAX)]
MessageId = int | str | None
_Id = _WholeId | _TextId | None

_Token = Annotated[str, Meta(min_length=1, max_length=TOKEN_CHARS_MAX)]
_Channel = Annotated[str, Meta(max_length=CHANNEL_CHARS_MAX)]
_Latitude = Annotated[float, Meta(ge=-90, le=90)]
_Longitude = Annotated[float, Meta(ge=-180, le=180)]
_Slug = Annotated[str, Meta(min_length=1, max_length=SLUG_CHARS_MAX)]
# An H3 index of a cell has 15 digits in lower-case hexadecimal; a leading zero would be another spelling of it.
_Cell = Annotated[str, Meta(pattern="^[1-9a-f][0-9a-f]{14}\\Z")]


class Since(msgspec.Struct, frozen=True, gc=False):
    """Where a returning client stopped; the offset is one that it was given."""

    epoch: Annotated[str, Meta(max_length=EPOCH_CHARS_MAX)]
    offset: Annotated[int, Meta(ge=0, lt=2**53)]


class Message(msgspec.Struct, frozen=True, gc=False, tag_field="type", kw_only=True):
    """What all messages have: an id that the one answer carries unchanged."""

    id: _Id = None


class Connect(Message, tag="connect", frozen=True, gc=False):
    """The first message; no token and no ticket = anonymous."""

    token: _Token | None = None
    resume: _Token | None = None
    background: bool = False


class Heartbeat(Message, tag="heartbeat", frozen=True, gc=False):
    """A sign of life; what is absent stays as it was."""

    lat: _Latitude | None = None
    lng: _Longitude | None = None
    cell: _Cell | None = None
    status: Literal["browsing", "training", "resting"] | None = None
    exercise: _Slug | None = None
    audience: Audience | None = None
    background: bool | None = None

    def __post_init__(self) -> None:
        if self.lat is not None or self.lng is not None:
            if self.lat is None or self.lng is None:
                raise ValueError("lat and lng belong together")
            if self.cell is not None:
                raise ValueError("a place is lat and lng or a cell, not both")
        elif self.cell is not None:
            cell = int(self.cell, 16)
            if not h3.is_valid_cell(cell) or h3.get_resolution(cell) < CELL_RESOLUTION:
                raise ValueError(f"not an H3 cell of resolution {CELL_RESOLUTION} or finer")

    def place(self) -> str | None:
        """The cell of resolution 7 in hexadecimal, or None without a place. The point itself goes no further."""
        if self.lat is not None and self.lng is not None:
            return format(h3.latlng_to_cell(self.lat, self.lng, CELL_RESOLUTION), "x")
        if self.cell is not None:
            return format(h3.cell_to_parent(int(self.cell, 16), CELL_RESOLUTION), "x")
        return None


class Subscribe(Message, tag="subscribe", frozen=True, gc=False):
    """Joins a channel; `since` asks for what was missed; again for the same channel: a resubscribe."""

    channel: _Channel
    since: Since | None = None
    token: _Token | None = None


class Unsubscribe(Message, tag="unsubscribe", frozen=True, gc=False):
    """Leaves a channel."""

    channel: _Channel


class Viewport(Message, tag="viewport", frozen=True, gc=False):
    """The part of the map that the client looks at, degrees; west > east crosses the antimeridian."""

    west: _Longitude
    south: _Latitude
    east: _Longitude
    north: _Latitude
    zoom: Annotated[int, Meta(ge=0, le=22)]

    def __post_init__(self) -> None:
        if self.south > self.north:
            raise ValueError("south is north of north")


class Refresh(Message, tag="refresh", frozen=True, gc=False):
    """A new access token of the same user: the socket may live on."""

    token: _Token


class Ping(Message, tag="ping", frozen=True, gc=False):
    """Asks for a `pong`."""


class Leave(Message, tag="leave", frozen=True, gc=False):
    """Presence ends at once, then the socket."""


AnyMessage = Connect | Heartbeat | Subscribe | Unsubscribe | Viewport | Refresh | Ping | Leave

TYPES: Final = frozenset({"connect", "heartbeat", "subscribe", "unsubscribe", "viewport", "refresh", "ping", "leave"})


class Problem(NamedTuple):
    """A message that cannot be obeyed: the answer is `error` with `code` and `message`."""

    id: MessageId
    code: Literal["BAD_INPUT", "UNKNOWN_TYPE"]
    message: str


class Malformed(NamedTuple):
    """Bytes that are no message: no JSON object, or none with a string `type`."""


MALFORMED: Final = Malformed()

Decoded = AnyMessage | Problem | Malformed

_decoder: Final[msgspec.json.Decoder[AnyMessage]] = msgspec.json.Decoder(AnyMessage)


class _Head(msgspec.Struct):
    type: object = None
    id: object = None


_head_decoder: Final = msgspec.json.Decoder(_Head)


def decode(payload: bytes | bytearray) -> Decoded:
    """The message in `payload`, which is valid UTF-8. Never raises."""
    try:
        return _decoder.decode(payload)
    except msgspec.ValidationError as error:
        return _explain(payload, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return MALFORMED


def _explain(payload: bytes | bytearray, reason: str) -> Problem | Malformed:
    try:
        head = _head_decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return MALFORMED
    if not isinstance(head.type, str):
        return MALFORMED
    try:
        message_id: MessageId = msgspec.convert(head.id, _Id)
    except msgspec.ValidationError:
        message_id = None
    if head.type not in TYPES:
        return Problem(message_id, "UNKNOWN_TYPE", "unknown type")
    return Problem(message_id, "BAD_INPUT", reason)
