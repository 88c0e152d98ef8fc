"""A client of bytes: frames and requests as no library would send them."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from config.limits import CONNECT_DEADLINE_S
from tests.support.gateway import Gateway

ANSWER_S: Final = CONNECT_DEADLINE_S + 3.0
UPGRADE: Final = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def request(line: str = "GET /ws HTTP/1.1", extra: str = "", **changes: str | None) -> bytes:
    """An upgrade with headers changed (None leaves one out); names with `_` for `-`."""
    headers: dict[str, str | None] = {**UPGRADE}
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return ("\r\n".join([line, *lines]) + f"\r\n{extra}\r\n").encode()


def frame(first: int, payload: bytes = b"", *, masked: bool = True, declared: int | None = None) -> bytes:
    """A client's frame; `declared` lies about the size and leaves the payload out."""
    size = len(payload) if declared is None else declared
    mask = 0x80 if masked else 0
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 65_536:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    return head + (bytes(4) if masked else b"") + (payload if declared is None else b"")


def close_code(data: bytes) -> int:
    """Of the close frame at the end of what came, which must be there."""
    return int.from_bytes(data[data.rindex(b"\x88") + 2 :][:2], "big")


class Raw:
    """A TCP connection of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Sends; a server that has closed meanwhile is no fault."""
        with suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    async def rest(self, within_s: float = ANSWER_S) -> bytes:
        """All that comes until the server ends. Fails on a reset, or when it does not end."""
        async with asyncio.timeout(within_s):
            return await self.reader.read()

    async def next_frame(self) -> tuple[int, bytes]:
        """The first byte and the payload of the next frame."""
        async with asyncio.timeout(ANSWER_S):
            first, size = await self.reader.readexactly(2)
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return first, await self.reader.readexactly(size)


@asynccontextmanager
async def raw(gate: Gateway) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.fleet.rt.port, limit=1 << 20)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def welcomed(gate: Gateway) -> AsyncIterator[Raw]:
    async with raw(gate) as talk:
        await talk.send(request() + frame(0x81, b'{"type":"connect"}'))
        head = await talk.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert json.loads((await talk.next_frame())[1])["type"] == "welcome"
        yield talk
