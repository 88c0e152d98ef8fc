"""One socket as an asyncio.Protocol: bytes in, whole messages out to the subclass; frames and closes back.

After the handshake nothing of `websockets` is kept. Frames by which a socket goes on are read here; one by which it
ends, a close or a mistake, is shown to a fresh `websockets` object, which says how. A whole socket read by `websockets`
answers every byte sequence alike; a property test and Autobahn hold this to it.

One read serves `frames_per_turn` frames; what comes behind them is the subclass's to `put_off`.
"""

import sys
from typing import ClassVar, Final

from websockets.frames import Close, CloseCode
from websockets.http11 import Request
from websockets.protocol import Protocol, State
from websockets.speedups import apply_mask

from config.errors import ApiError
from config.limits import FRAGMENTS_PER_MESSAGE_MAX, HEAD_BYTES_MAX, INBOUND_MESSAGE_BYTES_MAX
from rt.sockets import handshake, upgrade
from rt.sockets.handshake import Rules
from rt.sockets.stream import Stream
from rt.wire.closes import Closing, GraphqlClosing
from rt.wire.frames import close_frame

_TEXT: Final = 0x81
_BINARY: Final = 0x82
_PING: Final = 0x89
_PONG: Final = 0x8A
_TEXT_BEGINS: Final = 0x01
_BINARY_BEGINS: Final = 0x02
_GOES_ON: Final = 0x00
_FINAL: Final = 0x80
_MASKED: Final = 0x80
# First bytes of frames that may come between two messages, and inside one.
_BETWEEN: Final = frozenset((_TEXT, _BINARY, _PING, _PONG, _TEXT_BEGINS, _BINARY_BEGINS))
_INSIDE: Final = frozenset((_PING, _PONG, _GOES_ON, _FINAL))

HANDSHAKE: Final = 0
OPEN: Final = 1
CLOSING: Final = 2  # our close is on its way; what still comes in is ignored
LOST: Final = 3


class _Message:
    """A message that comes in fragments: what is kept of it is bounded by its size, and their number is counted."""

    __slots__ = ("count", "data", "is_text", "size")

    def __init__(self, *, is_text: bool) -> None:
        self.is_text = is_text
        self.data: bytearray | None = bytearray()  # None: it is ignored
        self.size = 0
        self.count = 0


class Connection(Stream):
    """Framing. A subclass says what happens: `rules`, `admit`, `opened`, `on_*`, `put_off`, `closing`."""

    __slots__ = ("_batch", "_judge", "_message", "_partial", "phase")

    message_bytes_max: ClassVar[int] = INBOUND_MESSAGE_BYTES_MAX
    fragments_max: ClassVar[int] = FRAGMENTS_PER_MESSAGE_MAX
    frames_per_turn: ClassVar[int] = sys.maxsize

    def __init__(self) -> None:
        super().__init__()
        self.phase = HANDSHAKE
        self._batch: list[bytes] | None = None  # answers to what came in one read: they go out as one write
        self._partial: bytes | None = None  # of the request's head, or of a common frame
        self._message: _Message | None = None
        self._judge: Protocol | None = None  # of a frame that ends the socket, while that is not whole

    # --- for the subclass

    def rules(self) -> Rules:
        """What a request must be like."""
        return Rules()

    def admit(self, _request: Request) -> ApiError | None:
        """May refuse an upgrade."""
        return None

    def _hand_over(self, request: Request, rest: bytes) -> None:
        """A stream was asked for, and `rest` said behind that: another protocol answers it, and has the socket."""

    def opened(self, _path: str) -> "Connection":
        """The socket is open; who speaks on it from now on, this one or one that has taken it over."""
        return self

    def on_message(self, payload: bytes | bytearray) -> None:
        """A whole text message; the payload is valid UTF-8."""

    def on_binary(self, _payload: bytes | bytearray) -> None:
        """A whole binary message."""

    def on_control(self, *, is_ping: bool) -> bool:
        """A ping of the client, and whether it is answered; or a pong, asked for or not."""
        return is_ping

    def on_fragment(self, *, ignored: bool) -> bool:
        """A fragment of a message that is not whole; whether it is kept. If not, its message is `ignored`."""
        return not ignored

    def on_piece(self) -> None:
        """A read that has ended no frame."""

    def put_off(self, _data: bytes, _at: int) -> None:
        """More than one turn's share was said: `read` what begins at `_at` in another turn, and nothing before it."""

    def closing(self) -> None:
        """The socket is closing: `abort` must be called in a while."""

    # --- asyncio

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is gone; nothing refers to anything any more."""
        self.phase = LOST
        super().connection_lost(error)
        self._batch = self._partial = None
        self._forget()

    def eof_received(self) -> bool:
        """The client has closed its side."""
        return False  # the transport closes itself

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        self.read(data)

    def read(self, data: bytes, at: int = 0) -> None:
        """Reads a turn's share of them now, from `at` on."""
        if self._partial is not None:
            data = self._partial + data
            self._partial = None
        if self.phase == OPEN:
            if self._judge is not None:
                self._end_by_rules(data)
                return
            size = len(data) - 6
            if 0 <= size <= 125 and data[0] == _TEXT and data[1] == size + _MASKED and not at and self._message is None:
                self._text(apply_mask(data[6:], data[2:6]))  # one small whole text, as most reads are
                return
            at = self._read(data, at)
            if self._batch is not None:
                self._release()
            if at < len(data) and self.phase == OPEN:
                self.put_off(data, at)
        elif self.phase == HANDSHAKE:
            self._shake_hands(data)

    # --- out

    def send(self, data: bytes) -> None:
        """Writes ready frames; what a closing socket is told is dropped."""
        if self.phase == OPEN:
            self.write(data)

    def write(self, data: bytes) -> None:
        """Hands bytes to the socket, now or with all else that the same read is answered with."""
        if self._batch is not None:
            self._batch.append(data)
        else:
            self.put(data)

    @property
    def _batched_bytes(self) -> int:
        """What waits to go out with all else that the same read is answered with."""
        return sum(map(len, self._batch or ()))

    def close(self, closing: Closing | GraphqlClosing) -> None:
        """Sends a close frame and ends our side; the client has CLOSE_WAIT_S to end its own."""
        if self.phase == OPEN:
            self._end(close_frame(closing.code, closing.reason))

    def abort(self) -> None:
        """The wait for the other side is over."""
        if self.transport is not None:
            self.transport.abort()

    def _end(self, data: bytes) -> None:
        self.phase = CLOSING
        self._forget()
        if self._batch is not None:
            self._release()
        if self.transport is not None:
            # Half-closed and read on: a full close with bytes unread would reset, and lose the close frame.
            self.put(data)
            if self.transport.can_write_eof():
                self.transport.write_eof()
        self.closing()

    def _release(self) -> None:
        batch, self._batch = self._batch, None
        if batch:
            self.write(b"".join(batch))

    # --- in

    def _shake_hands(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n") + 4
        if end > HEAD_BYTES_MAX or (end < 4 and len(data) > HEAD_BYTES_MAX):
            self._end(handshake.refused(handshake.HEAD_TOO_LARGE))
        elif end >= 4:
            head, rules = data[:end], self.rules()
            answer = upgrade.answer(head, rules, self.admit) or handshake.answer(head, rules, self.admit)
            if answer.stream is not None:
                self._hand_over(answer.stream, data[end:])
                return
            if not answer.upgraded:
                self._end(answer.data)
                return
            self.phase = OPEN
            self.send(answer.data)
            speaker = self.opened(answer.path)
            if len(data) > end:
                speaker.data_received(data[end:])
        elif data[:1].isalpha() and b"\n\n" not in data:
            self._partial = data
        else:  # no request in plain HTTP begins like this
            self._end(handshake.refused(handshake.NO_HTTP))

    def _read(self, data: bytes, began: int) -> int:
        """Whole frames, one after another; where the next turn begins. `data[began]` begins a frame."""
        at, end, left = began, len(data), self.frames_per_turn
        while end - at >= 2:
            first, size, body = data[at], data[at + 1] - _MASKED, at + 6
            message = self._message
            if message is None:
                room = self.message_bytes_max if first in _BETWEEN else -1
            else:
                room = self.message_bytes_max - message.size if first in _INSIDE else -1
            if size > 125 and room >= 0:
                size, body = _long_size(data, at, end)
                if not body:
                    break
                if size > 125 and first in (_PING, _PONG):
                    room = -1
            if not 0 <= size <= room:
                self._end_by_rules(data[at:])
                return end
            stop = body + size
            if stop > end:
                break
            if not left:
                return at
            left -= 1
            if stop < end and self._batch is None:
                self._batch = []
            payload = apply_mask(data[body:stop], data[body - 4 : body])
            if first == _TEXT:
                self._text(payload)
            else:
                self._frame(first, payload)
            if self.phase != OPEN:
                return end
            at = stop
        if at < end:
            self._partial = data[at:] if at else data
            if at == began:
                self.on_piece()
        return end

    def _text(self, payload: bytes | bytearray) -> None:
        if not payload.isascii():
            try:
                payload.decode()
            except UnicodeDecodeError:
                self.close(Closing.BAD_UTF8)
                return
        self.on_message(payload)

    def _frame(self, first: int, payload: bytes) -> None:
        """A frame that is no whole text."""
        if first in (_PING, _PONG):
            if self.on_control(is_ping=first == _PING):
                self.send(bytes((_PONG, len(payload))) + payload)
        elif first == _BINARY:
            self.on_binary(payload)
        else:
            if self._message is None:
                self._message = _Message(is_text=first == _TEXT_BEGINS)
            self._fragment(self._message, payload, is_last=first == _FINAL)

    def _fragment(self, message: _Message, payload: bytes, *, is_last: bool) -> None:
        message.count += 1
        message.size += len(payload)
        if is_last:
            self._message = None
        if message.count > self.fragments_max and message.data is not None:
            self.close(Closing.TOO_BIG)
        elif is_last and message.data is not None:
            message.data += payload
            if message.is_text:
                self._text(message.data)
            else:
                self.on_binary(message.data)
        elif not self.on_fragment(ignored=message.data is None):
            message.data = None
        elif message.data is not None:
            message.data += payload

    def _end_by_rules(self, data: bytes) -> None:
        """`websockets` says how the socket ends by the frame that begins here; it may want the rest of it first."""
        judge = self._judge
        if judge is None:
            judge = self._judge = handshake.open_protocol(self.message_bytes_max)
            judge.current_size = None if self._message is None else self._message.size
        judge.receive_data(data)
        ours = [written for written in judge.data_to_send() if written]
        if judge.state is not State.OPEN:
            # The client's close is answered with itself, also amid fragments; else the last write says what was wrong.
            self._end(ours[-1] if judge.close_rcvd is None else _echo(judge.close_rcvd))
        else:
            self.on_piece()

    def _forget(self) -> None:
        if self._judge is not None:
            handshake.let_go(self._judge)
            self._judge = None
        self._message = None


def _long_size(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Of a frame whose size is written in two or eight bytes: it, and where the payload begins; 0: not here yet."""
    if data[at + 1] & 127 == 126:
        return (int.from_bytes(data[at + 2 : at + 4], "big"), at + 8) if end - at >= 4 else (0, 0)
    return (int.from_bytes(data[at + 2 : at + 10], "big"), at + 14) if end - at >= 10 else (0, 0)


def _echo(close: Close) -> bytes:
    payload = b"" if close.code == CloseCode.NO_STATUS_RCVD else close.serialize()
    return bytes((0x88, len(payload))) + payload
