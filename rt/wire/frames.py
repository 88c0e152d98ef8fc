"""Server frames of the WebSocket protocol (RFC 6455, 5.2): unmasked, so the same bytes serve every client. Pure."""

import struct
from collections.abc import Iterator
from typing import Final

_TEXT = 0x81  # FIN + opcode 1
_CLOSE = 0x88
_REASON_BYTES_MAX = 123

PING: Final = b"\x89\x00"


def text_frame(payload: bytes) -> bytes:
    """One whole text frame; `payload` is UTF-8."""
    return frame_head(len(payload)) + payload


def frame_head(size: int) -> bytes:
    """What stands before a text of so many bytes."""
    if size < 126:
        return bytes((_TEXT, size))
    if size < 65_536:
        return struct.pack("!BBH", _TEXT, 126, size)
    return struct.pack("!BBQ", _TEXT, 127, size)


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; a reason of more than 123 bytes is cut."""
    payload = code.to_bytes(2, "big") + reason.encode()[:_REASON_BYTES_MAX]
    return bytes((_CLOSE, len(payload))) + payload


def payload_of(frame: bytes) -> bytes:
    """What one frame carries, as `text_frame` made it."""
    size = frame[1]
    return frame[2 if size < 126 else 4 if size == 126 else 10 :]


def split_frames(data: bytes) -> Iterator[bytes]:
    """The whole frames that stand one after another in `data`, as `text_frame` made them."""
    at = 0
    while at < len(data):
        size = data[at + 1]
        if size < 126:
            end = at + 2 + size
        elif size == 126:
            end = at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")
        else:
            end = at + 10 + int.from_bytes(data[at + 2 : at + 10], "big")
        yield data[at:end]
        at = end
