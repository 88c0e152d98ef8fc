"""Many clients of the gateway in one process: raw sockets that follow one channel, come back, and count every wrong."""

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, cast

from tests.support.gateway import until

_HEAD: Final = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_EVENT: Final = b'{"type":"event"'
_OFFSET: Final = b'"offset":'
BACK_BASE_S: Final = 1.0
BACK_CAP_S: Final = 30.0


def client_frame(message: dict[str, Any]) -> bytes:
    """A masked text frame (the mask is zero: nobody is between)."""
    data = json.dumps(message).encode()
    size = bytes((0x80 | len(data),)) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data


def hello(message: dict[str, Any]) -> bytes:
    """An upgrade and the first message."""
    return _HEAD + client_frame(message)


@dataclass
class Crowd:
    """Everybody, and what happened to them."""

    ports: list[int]
    channel: str
    epoch: str = ""
    holes: int = 0
    doubles: int = 0
    unrecovered: int = 0
    gaps: int = 0
    resets: int = 0
    epochs: set[str] = field(default_factory=set)
    codes: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    delays: list[float] | None = None  # seconds from an event's `t` to here, while it is a list
    members: list["Member"] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    ended: bool = False

    async def enter(self, tokens: list[str | None], at_once: int = 100) -> None:
        """One member a token (None: anonymous), all joined when this returns."""
        for start in range(0, len(tokens), at_once):
            new = [Member(self, token) for token in tokens[start : start + at_once]]
            self.members += new
            await asyncio.gather(*(member.come() for member in new))
            await asyncio.gather(*(member.joined.wait() for member in new))

    async def all_at(self, offset: int, within_s: float) -> None:
        """Returns when everybody has heard up to `offset`."""
        await until(lambda: all(member.offset >= offset for member in self.members), within_s)

    async def all_joined(self, within_s: float) -> float:
        """Seconds until everybody follows the channel."""
        began = time.monotonic()
        await until(lambda: all(member.joined.is_set() for member in self.members), within_s)
        return time.monotonic() - began

    async def leave(self) -> None:
        """Ends everybody."""
        self.ended = True
        for task in self.tasks:
            task.cancel()
        for member in self.members:
            member.cut()
        await asyncio.sleep(0.1)

    def spawn(self, member: "Member", after_s: float) -> None:
        task = asyncio.ensure_future(member.come_back(after_s))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def counts(self) -> dict[str, Any]:
        """What a report prints."""
        names = ("holes", "doubles", "unrecovered", "gaps", "resets")
        return {name: getattr(self, name) for name in names} | {
            "epochs": len(self.epochs),
            "codes": dict(self.codes),
            "errors": dict(self.errors),
        }


class Member(asyncio.Protocol):
    """One client: comes back as clients should, and resumes from its own place."""

    def __init__(self, crowd: Crowd, token: str | None) -> None:
        self.crowd = crowd
        self.token = token
        self.ticket: str | None = None
        self.offset = -1
        self.joined = asyncio.Event()
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self._code = 1006
        self._back_s: float | None = None
        self._tries = 0

    async def come(self) -> None:
        """Opens a socket and says hello and what it wants, all at once."""
        port = random.choice(self.crowd.ports)
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)

    async def come_back(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        try:
            async with asyncio.timeout(5):
                await self.come()
        except (OSError, TimeoutError):
            self._wait()

    def cut(self) -> None:
        """Ends the socket without a word."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._buffer, self._code, self._back_s = b"", 1006, None
        who = {"resume": self.ticket} if self.ticket else {"token": self.token} if self.token else {}
        self.transport.write(hello({"type": "connect", **who}))
        self._subscribe()

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.joined.clear()
        if self.crowd.ended:
            return
        self.crowd.codes[self._code] += 1
        self.crowd.resets += isinstance(error, ConnectionResetError)
        self._wait()

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        at = 0
        if data.startswith(b"HTTP/1.1"):
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                self._buffer = data
                return
            at = end if data.startswith(b"HTTP/1.1 101") else len(data)
        while len(data) - at >= 2:
            size, body = data[at + 1], at + 2
            if size == 126:
                size, body = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, body = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if body + size > len(data):
                break
            self._frame(data[at], data[body : body + size])
            at = body + size
        self._buffer = data[at:]

    def _frame(self, first: int, payload: bytes) -> None:
        if payload.startswith(_EVENT):
            start = payload.index(_OFFSET) + len(_OFFSET)
            self._event(int(payload[start : payload.index(b",", start)]))
            if self.crowd.delays is not None and (mark := payload.find(b'"t":')) > 0:
                sent_ns = int(payload[mark + 4 : payload.index(b"}", mark)])
                self.crowd.delays.append((time.monotonic_ns() - sent_ns) / 1e9)
        elif first == 0x88:
            self._code = int.from_bytes(payload[:2], "big")
        elif first == 0x89 and self.transport is not None:
            self.transport.write(b"\x8a\x80\0\0\0\0")
        elif first == 0x81:
            self._message(json.loads(payload))

    def _event(self, offset: int) -> None:
        if offset <= self.offset:
            self.crowd.doubles += 1
        elif offset > self.offset + 1:
            self.crowd.holes += offset - self.offset - 1
        self.offset = max(self.offset, offset)

    def _message(self, message: dict[str, Any]) -> None:
        crowd = self.crowd
        match message["type"]:
            case "welcome":
                self.ticket = message.get("resume", self.ticket)
            case "subscribed":
                if self.offset < 0:
                    self.offset = message["offset"]
                elif message["recovered"]:
                    for entry in message["events"]:
                        self._event(entry["offset"])
                else:
                    crowd.unrecovered += 1
                    self.offset = message["offset"]
                crowd.epoch = message["epoch"]
                crowd.epochs.add(message["epoch"])
                self._tries = 0
                self.joined.set()
            case "gap":
                crowd.gaps += 1
                self._subscribe()
            case "reconnect":
                self._back_s = message["after_ms"] / 1000
            case "error":
                crowd.errors[message["code"]] += 1
                asyncio.get_running_loop().call_later(random.uniform(0, BACK_BASE_S), self._subscribe)

    def _subscribe(self) -> None:
        since = {"since": {"epoch": self.crowd.epoch, "offset": self.offset}} if self.offset >= 0 else {}
        if self.transport is not None:
            self.transport.write(client_frame({"type": "subscribe", "channel": self.crowd.channel, **since}))

    def _wait(self) -> None:
        if self.crowd.ended:
            return
        if self._back_s is None:
            wait_s = random.uniform(0, min(BACK_CAP_S, BACK_BASE_S * 2**self._tries))
            self._tries += 1
        else:
            wait_s, self._back_s = self._back_s, None
        self.crowd.spawn(self, wait_s)
