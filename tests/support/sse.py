"""A reader of server-sent events by the letter of the standard (WHATWG HTML, 9.2.6), and streams of a real gateway."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import httpx2

from rt.wire.channels import Channel
from tests.support.gateway import ANSWER_S, EPOCH, Gateway, until

PATH = "/api/v1/feed/stream"
Open = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Told(NamedTuple):
    """One event: its type, what `data` says, and the last id as it was dispatched."""

    kind: str
    data: Any
    id: str

    @property
    def offset(self) -> int:
        """Of the place that the id names."""
        return int(self.id.rpartition(":")[2])


class Reader:
    """Bytes in, events out. `comments` and the newest `retry` are kept: browsers hide them."""

    def __init__(self) -> None:
        self.last_id = ""
        self.retry_ms: int | None = None
        self.comments: list[str] = []
        self._rest = b""
        self._kind = self._id = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> list[Told]:
        """The events that end in it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        told = []
        for line in lines:
            field, _, value = line.decode().removesuffix("\r").partition(":")
            value = value.removeprefix(" ")
            if line in (b"", b"\r"):
                self.last_id = self._id  # a block that is cut has none
                if self._data:
                    told.append(Told(self._kind or "message", json.loads("\n".join(self._data)), self.last_id))
                self._kind, self._data = "", []
            elif field == "":
                self.comments.append(value)
            elif field == "event":
                self._kind = value
            elif field == "data":
                self._data.append(value)
            elif field == "id" and "\0" not in value:
                self._id = value
            elif field == "retry" and value.isdigit():
                self.retry_ms = int(value)
        return told


class Stream:
    """An open stream: the head of its answer, and what it tells."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.heard = Reader()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""  # of an answer that is no stream
        self._reader = reader
        self._told: list[Told] = []

    async def begin(self) -> None:
        """Reads the head, and the whole body where it is refused."""
        async with asyncio.timeout(ANSWER_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            self.status = int(head[0].split()[1])
            self.headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
            }
            if self.status != 200:
                size = int(self.headers.get("content-length", -1))  # a proxy keeps the connection
                with suppress(asyncio.IncompleteReadError):  # of a HEAD
                    self.body = await (self._reader.read() if size < 0 else self._reader.readexactly(size))

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of a refusal."""
        return self.status, json.loads(self.body)["error"]["code"]

    async def next(self, *kinds: str) -> Told:
        """The next event, or the next of these types."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                for at, one in enumerate(self._told):
                    if not kinds or one.kind in kinds:
                        del self._told[: at + 1]
                        return one
                self._told.clear()
                await self._read()

    async def until_place(self) -> str:
        """The first id."""
        async with asyncio.timeout(ANSWER_S):
            while not self.heard.last_id:
                await self._read()
        return self.heard.last_id

    async def until_comment(self, limit_s: float = ANSWER_S) -> str:
        """The next comment."""
        async with asyncio.timeout(limit_s):
            while not self.heard.comments:
                await self._read()
        return self.heard.comments.pop(0)

    async def rest(self, limit_s: float = ANSWER_S) -> list[Told]:
        """All that comes until it ends."""
        with suppress(EOFError):
            async with asyncio.timeout(limit_s):
                while True:
                    await self._read()
        return self._told

    async def _read(self) -> None:
        """Raises EOFError at the end."""
        if self.headers.get("transfer-encoding") == "chunked":
            data = await self._reader.readexactly(int(await self._reader.readline() or b"0", 16))
            await self._reader.readline()
        else:
            data = await self._reader.read(65_536)
        if not data:
            raise EOFError
        self._told += self.heard.feed(data)


def to_port(port: int) -> Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to this machine."""
    return asyncio.open_connection("127.0.0.1", port, limit=1 << 20)


@asynccontextmanager
async def streaming(where: int | Open, query: str = "", method: str = "GET", **headers: str) -> AsyncIterator[Stream]:
    """A request for a stream, answered, at this port or by this connection; headers with `_` for `-`."""
    reader, writer = await (to_port(where) if isinstance(where, int) else where())
    try:
        lines = [f"{method} {PATH}{query and '?'}{query} HTTP/1.1", *_lines({"Host": "localhost", **headers})]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        stream = Stream(reader, writer)
        await stream.begin()
        yield stream
    finally:
        writer.transport.abort()  # by TLS, whoever says good-bye waits for an answer
        with suppress(OSError):
            await writer.wait_closed()


def _lines(headers: dict[str, str]) -> list[str]:
    return [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]


def at(offset: int) -> str:
    """The id of a place in a gateway of tests."""
    return f"{EPOCH}:{offset}"


def stream_of(gate: Gateway, query: str = "", **headers: str) -> Any:
    """A stream of this gateway."""
    return streaming(gate.fleet.rt.port, query, **headers)


async def made(gate: Gateway, channel: Channel, events: int = 0) -> str:
    """A channel of the test's own; its name for a query."""
    await gate.feeds.make(channel)
    if events:
        await gate.feeds.publish(channel, events)
    return f"channel={channel.wire}"


async def figure(gate: Gateway, name: str) -> float:
    """One of its metrics."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        text = (await client.get(gate.fleet.rt.http("/metrics"))).text
    return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1])


async def is_now(gate: Gateway, name: str, value: float) -> bool:
    """Whether that metric is this."""
    return await figure(gate, name) == value


async def kill_oldest(gate: Gateway) -> None:
    """The process with sockets that has run longest; another takes its place."""
    victim = gate.fleet.rt.children()[0]
    os.kill(victim, signal.SIGKILL)
    await until(lambda: victim not in gate.fleet.rt.children())
