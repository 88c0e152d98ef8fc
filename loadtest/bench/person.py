"""One WebSocket client in a benchmark's own process, for faults and prices; crowds are loadtest/crowd.py's."""

import asyncio
import re
from typing import Any, Final

from loadtest.bench.fanout import SUBPROTOCOL
from loadtest.crowd import PING, PONG

_RESUME: Final = re.compile(rb'"resume":"([^"]+)"')
_ARRIVES_S: Final = 30


class Person(asyncio.Protocol):
    """Says `first` behind the handshake and is there when `mark` has come; then it reads, and answers pings."""

    __slots__ = ("_first", "_handshake", "_mark", "alive", "ready", "ticket", "transport")

    def __init__(self, first: bytes, mark: bytes, ready: asyncio.Future[None], handshake: bytes) -> None:
        self._handshake = handshake
        self._first = first
        self._mark = mark
        self.alive = True  # False: no ping is answered any more, as by one whose cable is out
        self.ready = ready
        self.ticket = b""  # for the next connect
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._handshake)

    def data_received(self, data: bytes) -> None:
        if self._first and b"\r\n\r\n" in data:
            self.transport.write(self._first)
            self._first = b""
        if PING in data and self.alive:  # one too many, where the bytes are a frame's length, harms nobody
            self.transport.write(PONG)
        if not self.ready.done():
            if found := _RESUME.search(data):
                self.ticket = found[1]
            if self._mark in data:
                self.ready.set_result(None)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it was there"))


def handshake(path: str, subprotocol: str = "") -> bytes:
    """The request for an upgrade."""
    offered = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offered}\r\n"
    ).encode()


OURS: Final = handshake("/ws", SUBPROTOCOL)


async def arrive(port: int, first: bytes, mark: bytes, request: bytes = OURS) -> Person:
    """A client of the server on this port, which is asked for an upgrade by `request`; the gateway by default.

    Raises ConnectionError or TimeoutError.
    """
    loop = asyncio.get_running_loop()
    person = Person(first, mark, loop.create_future(), request)
    await loop.create_connection(lambda: person, "127.0.0.1", port)
    async with asyncio.timeout(_ARRIVES_S):
        await person.ready
    return person
