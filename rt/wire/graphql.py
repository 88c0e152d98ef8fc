"""graphql-transport-ws: every message that a client may send, decoded in one step, and ours as ready frames. Pure.

What is no message of the protocol is MALFORMED (the socket closes 4400). `extensions` is free in the protocol: what is
wrong with ours is the answer to that one `subscribe`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
import orjson
from msgspec import Meta, Raw

from config.limits import MESSAGE_ID_CHARS_MAX, TOKEN_CHARS_MAX
from rt.wire.frames import frame_head, text_frame
from rt.wire.inbound import MALFORMED, Malformed, Since

GRAPHQL_SUBPROTOCOL: Final = "graphql-transport-ws"
GRAPHQL_WS_PATH: Final = "/api/graphql/ws"

_NULL: Final = Raw(b"null")
_Id = Annotated[str, Meta(min_length=1, max_length=MESSAGE_ID_CHARS_MAX)]
_BEARER: Final = "bearer "


class Authorization(msgspec.Struct, frozen=True, gc=False):
    """What `connection_init` carries; without it nobody is signed in."""

    authorization: Annotated[str, Meta(max_length=TOKEN_CHARS_MAX + len(_BEARER))] | None = None


class ConnectionInit(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="connection_init"):
    """The first message."""

    payload: Authorization | None = None

    @property
    def token(self) -> str | None:
        """The access token; "" where the scheme is not Bearer, and None for whoever is nobody."""
        given = None if self.payload is None else self.payload.authorization
        if given is None:
            return None
        return given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else ""


class Request(msgspec.Struct, frozen=True, gc=False):
    """What is asked for: a document, and which of its operations with which variables."""

    query: str
    operationName: str | None = None  # noqa: N815 - the word on the wire
    variables: Raw = _NULL
    extensions: Raw = _NULL


class Subscribe(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="subscribe"):
    """Begins an operation under an id that none has now."""

    id: _Id
    payload: Request


class Complete(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="complete"):
    """Ends it."""

    id: _Id


class Ping(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="ping"):
    """Asks for a `pong` with the same payload."""

    payload: Raw = _NULL


class Pong(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="pong"):
    """A sign of life."""


Message = ConnectionInit | Subscribe | Complete | Ping | Pong
Decoded = Message | Malformed

_decoder: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)


def decode(payload: bytes | bytearray) -> Decoded:
    """The message in `payload`, which is valid UTF-8. Never raises."""
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return MALFORMED


class Extensions(msgspec.Struct, frozen=True, gc=False):
    """What of a `subscribe` is ours: where a returning client stopped, and what opens a profile's channel."""

    since: Since | None = None
    token: Annotated[str, Meta(min_length=1, max_length=TOKEN_CHARS_MAX)] | None = None


_extensions: Final = msgspec.json.Decoder(Extensions | None)


def extensions_of(request: Request) -> Extensions:
    """Raises ValueError where they are of another shape, and says how."""
    try:
        return _extensions.decode(request.extensions) or Extensions()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


# --- ours

ACK: Final = text_frame(b'{"type":"connection_ack"}')
_PONG: Final = text_frame(b'{"type":"pong"}')


def pong(payload: Raw) -> bytes:
    """The answer to a ping."""
    return _PONG if bytes(payload) == b"null" else text_frame(b'{"type":"pong","payload":%b}' % bytes(payload))


def next_tail(operation: str) -> bytes:
    """What each `next` of an operation ends with: its id, behind what all who selected the same are told."""
    return b',"id":%b}' % orjson.dumps(operation)


def next_begun(payload: bytes, tail_bytes: int) -> bytes:
    """A `next` up to its tail, for all operations whose tail is so long: most ids are UUIDs."""
    begun = b'{"type":"next","payload":%b' % payload
    return frame_head(len(begun) + tail_bytes) + begun


def error(operation: str, errors: list[Mapping[str, Any]]) -> bytes:
    """The operation was not begun, or ends here: nothing comes under its id any more, no `complete` either."""
    return text_frame(orjson.dumps({"id": operation, "type": "error", "payload": errors}))
