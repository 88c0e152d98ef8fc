"""One socket as an asyncio.Protocol: bytes in, whole messages out to the subclass; frames and closes back.

After the handshake nothing of `websockets` is kept. The common frame (whole, masked, text, up to the message limit)
and the pong are read here; any other byte sequence goes to a fresh `websockets` object, which stays until it is at
rest between two frames. Both ways answer every byte sequence alike; a property test and Autobahn hold them to it.
"""

import asyncio
from types import GeneratorType
from typing import ClassVar, Final, cast

from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, State
from websockets.speedups import apply_mask

from config.limits import HANDSHAKE_BYTES_MAX, INBOUND_MESSAGE_BYTES_MAX
from rt import handshake, upgrade
from rt.closes import Closing
from rt.handshake import Page, Rules
from rt.wire.frames import close_frame

_TEXT: Final = 0x81
_PONG: Final = 0x8A
_MASKED: Final = 0x80

HANDSHAKE: Final = 0
OPEN: Final = 1
CLOSING: Final = 2  # our close is on its way; what still comes in is ignored
LOST: Final = 3


class Connection(asyncio.Protocol):
    """Framing. A subclass says what happens: `rules`, `admit`, `opened`, `on_*`, `closing`."""

    __slots__ = ("_fragments", "_held", "_partial", "_rare", "phase", "transport")

    message_bytes_max: ClassVar[int] = INBOUND_MESSAGE_BYTES_MAX
    reads_directly: ClassVar[bool] = True  # False: one `websockets` object for all, to compare with

    transport: asyncio.Transport | None

    def __init__(self) -> None:
        self.transport = None
        self.phase = HANDSHAKE
        self._held: list[bytes] | None = None  # answers to what came in one read: they go out as one write
        self._partial: bytes | None = None  # of the request's head, or of a common frame
        self._rare: Protocol | None = None
        self._fragments: list[bytes] | None = None

    # --- for the subclass

    def rules(self) -> Rules:
        """What a request must be like."""
        return Rules()

    def admit(self, _request: Request) -> Page | None:
        """May refuse an upgrade."""
        return None

    def opened(self) -> None:
        """The socket is open."""

    def on_message(self, payload: bytes | bytearray) -> None:
        """A whole text message; the payload is valid UTF-8."""

    def on_binary(self, _payload: bytes | bytearray) -> None:
        """A whole binary message."""

    def on_ping(self) -> bool:
        """Whether a ping is answered."""
        return True

    def on_pong(self) -> None:
        """A pong of the client, asked for or not."""

    def closing(self) -> None:
        """The socket is closing: `linger_over` must be called in a while."""

    # --- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket was accepted."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """The socket is gone; nothing refers to anything any more."""
        self.phase = LOST
        self.transport = None
        self._held = self._partial = None
        self._forget_rare()

    def eof_received(self) -> bool:
        """The client has closed its side."""
        return False  # the transport closes itself

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        self.read(data)

    def read(self, data: bytes) -> None:
        """Reads them now."""
        if self._partial is not None:
            data = self._partial + data
            self._partial = None
        if self.phase == OPEN:
            if self._rare is not None:
                self._read_rare(data)
            else:
                self._read(data)
                if self._held is not None:
                    self._release()
        elif self.phase == HANDSHAKE:
            self._shake_hands(data)

    # --- out

    def send(self, data: bytes) -> None:
        """Writes ready frames; what a closing socket is told is dropped."""
        if self.phase == OPEN:
            self.write(data)

    def write(self, data: bytes) -> None:
        """Hands bytes to the socket, now or with all else that the same read is answered with."""
        if self._held is not None:
            self._held.append(data)
        elif self.transport is not None:
            self.transport.write(data)

    @property
    def held_bytes(self) -> int:
        """What waits to go out with all else that the same read is answered with."""
        return sum(map(len, self._held or ()))

    def close(self, closing: Closing) -> None:
        """Sends a close frame and ends our side; the client has CLOSE_WAIT_S to end its own."""
        if self.phase == OPEN:
            self._end(close_frame(closing.code, closing.reason))

    def linger_over(self) -> None:
        """The wait for the other side is over."""
        if self.transport is not None:
            self.transport.abort()

    def _end(self, data: bytes) -> None:
        self.phase = CLOSING
        self._forget_rare()
        if self._held is not None:
            self._release()
        if self.transport is not None:
            # Half-closed and read on: a full close with bytes unread would reset, and lose the close frame.
            self.transport.write(data)
            if self.transport.can_write_eof():
                self.transport.write_eof()
        self.closing()

    def _release(self) -> None:
        held, self._held = self._held, None
        if held:
            self.write(b"".join(held))

    # --- in

    def _shake_hands(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n") + 4
        if end > HANDSHAKE_BYTES_MAX or (end < 4 and len(data) > HANDSHAKE_BYTES_MAX):
            self._end(handshake.page(Page(431, b"request header fields too large\n")))
        elif end >= 4:
            head, rules = data[:end], self.rules()
            answer = upgrade.answer(head, rules, self.admit) or handshake.answer(head, rules, self.admit)
            if not answer.upgraded:
                self._end(answer.data)
                return
            self.phase = OPEN
            self.send(answer.data)
            self.opened()
            if len(data) > end:
                self.data_received(data[end:])
        elif data[:1].isalpha() and b"\n\n" not in data:
            self._partial = data
        else:  # no request in plain HTTP begins like this
            self._end(handshake.page(Page(400, b"not an HTTP request\n")))

    def _read(self, data: bytes) -> None:
        """Whole common frames and pongs, one after another; `data` begins with a frame."""
        at, end = 0, len(data)
        while end - at >= 2:
            first, size = data[at], data[at + 1] - _MASKED
            body = at + 6
            if size == 126 and first == _TEXT and end - at >= 4:
                size = data[at + 2] << 8 | data[at + 3]
                body = at + 8
            elif size == 126 and first == _TEXT:
                break
            elif size < 0 or size > 125:
                self._read_rare(data[at:])
                return
            if (first != _TEXT and first != _PONG) or size > self.message_bytes_max or not self.reads_directly:
                self._read_rare(data[at:])
                return
            stop = body + size
            if stop > end:
                break
            if stop < end and self._held is None:
                self._held = []
            if first == _TEXT:
                self._text(apply_mask(data[body:stop], data[body - 4 : body]))
                if self.phase != OPEN:
                    return
            else:
                self.on_pong()
                if self.phase != OPEN:
                    return
            at = stop
        if at < end:
            self._partial = data[at:] if at else data

    def _text(self, payload: bytes | bytearray) -> None:
        if not payload.isascii():
            try:
                payload.decode()
            except UnicodeDecodeError:
                self.close(Closing.BAD_UTF8)
                return
        self.on_message(payload)

    def _read_rare(self, data: bytes) -> None:
        rare = self._rare
        if rare is None:
            rare = self._rare = handshake.open_protocol(self.message_bytes_max)
        rare.receive_data(data)
        ours = [written for written in rare.data_to_send() if written]
        for event in rare.events_received():
            if isinstance(event, Frame):
                self._frame(event)
            if self.phase != OPEN:
                return
        if rare.state is not State.OPEN:
            # The client's close is answered with itself, also amid fragments; else the last write says what was wrong.
            self._end(ours[-1] if rare.close_rcvd is None else _echo(rare.close_rcvd))
        elif self.reads_directly and rare.current_size is None and not rare.reader.buffer and _at_rest(rare):
            self._forget_rare()

    def _frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.PING:
                if self.on_ping():
                    self.send(bytes((_PONG, len(frame.data))) + frame.data)
            case Opcode.PONG:
                self.on_pong()
            case Opcode.TEXT | Opcode.BINARY if frame.fin:
                self._whole(frame.opcode, bytes(frame.data))
            case Opcode.TEXT | Opcode.BINARY:
                self._fragments = [bytes((frame.opcode,)), bytes(frame.data)]
            case Opcode.CONT if self._fragments is not None:
                self._fragments.append(bytes(frame.data))
                if frame.fin:
                    opcode, *parts = self._fragments
                    self._fragments = None
                    self._whole(opcode[0], b"".join(parts))

    def _whole(self, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.TEXT:
            self._text(payload)
        else:
            self.on_binary(payload)

    def _forget_rare(self) -> None:
        if self._rare is not None:
            handshake.let_go(self._rare)
            self._rare = None
        self._fragments = None


def _echo(close: Close) -> bytes:
    payload = b"" if close.code == CloseCode.NO_STATUS_RCVD else close.serialize()
    return bytes((0x88, len(payload))) + payload


def _at_rest(protocol: Protocol) -> bool:
    """Whether the parser waits for the first byte of a frame, and not in the middle of one."""
    waiting = protocol.parser.gi_yieldfrom if isinstance(protocol.parser, GeneratorType) else None
    return isinstance(waiting, GeneratorType) and waiting.__name__ == "at_eof"
