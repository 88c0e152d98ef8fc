"""What a stream of server-sent events carries (WHATWG HTML, 9.2), made of the frames that sockets get. Pure.

A block is `id: {epoch}:{offset}`, `event:` and, as `data:`, the message of the frame unchanged. It is made once, and
all streams of a channel get the same bytes (Renditions).
"""

import re
from typing import Final

import msgspec

from rt.wire import outbound
from rt.wire.bus import event_frame
from rt.wire.frames import payload_of, split_frames

__all__ = ["COMMENT", "Renditions", "blocks", "comment", "joined", "kind_of", "retry"]

COMMENT: Final = b":\n\n"
TOLD: Final = frozenset({b"event", b"digest", b"status"})  # the messages that streams get as they are

RENDITIONS_BYTES_MAX: Final = 1024 * 1024  # of the frames and blocks of a process that are kept, but for the newest
_KIND: Final = re.compile(rb'\{"type":"([a-z]+)"')
# Names of channels have no quote in them (rt/wire/channels.py).
_PLACE: Final = re.compile(rb'\{"type":"[a-z]+","channel":"[^"]+",(?:"offset"|"from":\d+,"to"):(\d+)')
_LINE_ENDS: Final = bytes.maketrans(b"\r\n", b"  ")  # in JSON they are blanks between two words, in a block the end


class _Missed(msgspec.Struct, gc=False):
    offset: int
    event: msgspec.Raw


class _Subscribed(msgspec.Struct, gc=False):
    channel: str
    epoch: str
    offset: int
    recovered: bool | None
    events: list[_Missed]


_subscribed: Final = msgspec.json.Decoder(_Subscribed)


class Renditions:
    """Blocks of what was written last. A flush has the same frames for all who hear a channel, and so have these."""

    __slots__ = ("_bytes", "_made")

    def __init__(self) -> None:
        self._made: dict[tuple[str, bytes], bytes] = {}
        self._bytes = 0

    def find(self, epoch: str, frames: bytes) -> bytes | None:
        """What was made of these frames; None: nothing, or too long ago."""
        return self._made.get((epoch, frames))

    def make(self, epoch: str, frames: bytes) -> bytes:
        """Makes and keeps it, in place of the oldest."""
        made = blocks(epoch, frames)
        self._made[epoch, frames] = made
        self._bytes += len(frames) + len(made)
        while self._bytes > RENDITIONS_BYTES_MAX and len(self._made) > 1:
            oldest = next(iter(self._made))
            self._bytes -= len(oldest[1]) + len(self._made.pop(oldest))
        return made


def kind_of(frames: bytes) -> bytes:
    """The type of the first message in frames of ours; empty where it is none: a ping."""
    found = _KIND.match(frames, 2 if frames[1] < 126 else 4 if frames[1] == 126 else 10)
    return b"" if found is None else found[1]


def blocks(epoch: str, frames: bytes) -> bytes:
    """The blocks of TOLD messages that stand one after another; of others nothing."""
    return b"".join(_block(epoch, payload_of(frame)) for frame in split_frames(frames))


def joined(message: bytes) -> tuple[str, bytes]:
    """The epoch of a `subscribed`, and the blocks that say the same: what was missed, or one `gap`, or the place
    alone."""
    told = _subscribed.decode(message)
    place = b"id: %b:%d\n" % (told.epoch.encode(), told.offset)
    if told.recovered is False:
        return told.epoch, b"%bevent: gap\ndata: %b\n\n" % (place, payload_of(outbound.gap(told.channel)))
    if told.events:
        missed = (event_frame(told.channel, one.offset, bytes(one.event)) for one in told.events)
        return told.epoch, blocks(told.epoch, b"".join(missed))
    return told.epoch, place + b"\n"


def retry(after_ms: int) -> bytes:
    """When to come back, once the stream has ended."""
    return b"retry: %d\n\n" % after_ms


def comment(text: str) -> bytes:
    """For whoever looks at a stream: an EventSource hears nothing of it."""
    return b": %b\n\n" % text.encode()


def _block(epoch: str, message: bytes) -> bytes:
    kind = _KIND.match(message)
    if kind is None or kind[1] not in TOLD:
        return b""
    place = _PLACE.match(message)
    line = b"" if place is None else b"id: %b:%b\n" % (epoch.encode(), place[1])
    return b"%bevent: %b\ndata: %b\n\n" % (line, kind[1], message.translate(_LINE_ENDS))
