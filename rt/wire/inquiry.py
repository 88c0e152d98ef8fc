"""What operators ask of every gateway process, and what each answers. Pure.

An inquiry goes out on INQUIRY_CHANNEL, to which each process of a gateway listens once, so that PUBLISH says how many
answers to wait for. Each puts its answer at the end of the list `answers_key`, which is forgotten after ANSWERS_KEPT_S.
"""

import msgspec

__all__ = [
    "INQUIRY_CHANNEL",
    "Answer",
    "Ended",
    "Hot",
    "Inquiry",
    "Place",
    "Seat",
    "Slow",
    "answers_key",
    "decode_answer",
    "decode_inquiry",
    "encode",
]

INQUIRY_CHANNEL = "rt:inquiries"


class Place(msgspec.Struct, frozen=True):
    """An event's: the wire name of a channel, and its offset there."""

    channel: str
    offset: int


class Inquiry(msgspec.Struct, frozen=True):
    """`user`: whose sockets are asked for, with what each heard of `places`; empty: nobody's."""

    id: str
    user: str = ""
    places: list[Place] = []


class Hot(msgspec.Struct, frozen=True):
    """A channel here: its readers, its newest offset, and events a second since the inquiry before."""

    channel: str
    readers: int
    offset: int
    events_per_s: float


class Slow(msgspec.Struct, frozen=True):
    """A socket that is behind: whose ("" = nobody's), and the bytes that it has not taken."""

    user: str
    protocol: str
    unread: int


class Seat(msgspec.Struct, frozen=True):
    """A socket of the user and a place that was asked about.

    `state`: `none` (not subscribed), `joining`, `recovering`, or `live`; then `joined` is the offset at which it joined
    the stream, and `head` how far the stream has come here. `written`: the stream has written beyond the place;
    `digested`: a digest told of it among others. `unread`: bytes of the socket that were not taken.
    """

    session: str
    protocol: str
    silent_s: float
    unread: int
    place: Place
    state: str
    joined: int = 0
    head: int = 0
    written: bool = False
    digested: bool = False


class Ended(msgspec.Struct, frozen=True):
    """A socket of the user that is gone: how long ago, and why."""

    session: str
    ago_s: float
    why: str


class Answer(msgspec.Struct, frozen=True):
    """Of one process. `closes`: sockets that ended in the last minutes, by why."""

    gateway: str
    pid: int
    condition: dict[str, str]
    figures: dict[str, int]
    channels: list[Hot]
    slow: list[Slow]
    closes: dict[str, int]
    seats: list[Seat]
    ended: list[Ended]


_encode = msgspec.json.Encoder().encode
_decode_inquiry = msgspec.json.Decoder(Inquiry).decode
_decode_answer = msgspec.json.Decoder(Answer).decode


def answers_key(inquiry: str) -> str:
    """Where the answers to an inquiry lie."""
    return f"rt:answers:{inquiry}"


def encode(word: Inquiry | Answer) -> bytes:
    """As it goes through Redis."""
    return _encode(word)


def decode_inquiry(payload: bytes) -> Inquiry | None:
    """None where it is none: a foreign publisher must not stop a gateway."""
    try:
        found = _decode_inquiry(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if found.id.isalnum() and len(found.id) <= 64 else None


def decode_answer(payload: bytes) -> Answer | None:
    """None where it is none: that of a gateway of another version."""
    try:
        return _decode_answer(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
