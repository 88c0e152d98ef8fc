"""A client of the gateway that records all it hears of a channel, and the checker that judges the record."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

SUBPROTOCOL = Subprotocol("musclemap.v1")
LOST = (OSError, WebSocketException, InvalidHandshake, asyncio.TimeoutError, EOFError)


@dataclass
class Watcher:
    """One viewer of one channel. It comes back after a lost connection, from its own position, as clients should."""

    url: str
    channel: str = "community"
    token: str | None = None
    epoch: str = ""
    offset: int = -1
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    recovered: list[bool | None] = field(default_factory=list)
    declared: int = 0  # events that a digest stood for
    wrong: list[str] = field(default_factory=list)
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def watch(self) -> None:
        """Watches until it is cancelled."""
        while True:
            with contextlib.suppress(*LOST):
                await self.watch_once()
            self.joined.clear()
            await asyncio.sleep(0.1)

    async def watch_once(self) -> None:
        """One connection, until it is lost."""
        async with open_socket(self.url) as socket:
            await say(socket, type="connect", **({"token": self.token} if self.token else {}))
            async for text in socket:
                await self.take(socket, json.loads(text))

    async def take(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        """What one message means to the record."""
        kind = message["type"]
        if kind == "welcome":
            await self.subscribe(socket)
        elif kind == "subscribed":
            self.recovered.append(message["recovered"])
            if self.offset < 0 or message["recovered"] is False:
                self.offset = message["offset"]
            self.epoch = message["epoch"]
            for row in message["events"]:
                await self.note(row["offset"], row["event"])
            if self.offset != message["offset"]:
                self.wrong.append(f"subscribed at {message['offset']} but the record ends at {self.offset}")
            self.joined.set()
        elif kind == "event":
            await self.note(message["offset"], message["event"])
        elif kind == "digest":
            if message["from"] != self.offset + 1 or sum(message["counts"].values()) != message["to"] - self.offset:
                self.wrong.append(f"digest of {message['from']} to {message['to']} after {self.offset}")
            self.declared += message["to"] - self.offset
            self.offset = message["to"]
        elif kind == "gap":
            await self.subscribe(socket)
        elif kind == "error":
            # UNAVAILABLE while the stores are away: ask again.
            if message["code"] != "UNAVAILABLE":
                self.wrong.append(f"error {message['code']}: {message['message']}")
            await asyncio.sleep(0.2)
            await self.subscribe(socket)

    async def subscribe(self, socket: ClientConnection) -> None:
        """Joins the channel from the record's end."""
        since: dict[str, Any] = {"since": {"epoch": self.epoch, "offset": self.offset}} if self.offset >= 0 else {}
        await say(socket, type="subscribe", channel=self.channel, **since)

    async def note(self, offset: int, event: dict[str, Any]) -> None:
        """Keeps one event; anything but the next offset is noted as wrong."""
        if offset != self.offset + 1:
            self.wrong.append(f"offset {offset} after {self.offset}")
        self.offset = offset
        self.events.append((offset, event))
        async with self.heard:
            self.heard.notify_all()

    async def until(self, count: int, within_s: float) -> None:
        """Waits for `count` events in the record; raises TimeoutError."""
        async with asyncio.timeout(within_s), self.heard:
            await self.heard.wait_for(lambda: len(self.events) >= count)


@contextlib.asynccontextmanager
async def open_socket(url: str) -> AsyncIterator[ClientConnection]:
    """A plain `websockets` client of the gateway."""
    async with connect(
        url, subprotocols=[SUBPROTOCOL], proxy=None, compression=None, ping_interval=None, close_timeout=2
    ) as socket:
        yield socket


async def say(socket: ClientConnection, **message: Any) -> None:
    """Sends one message."""
    await socket.send(json.dumps(message))


def faults(watchers: Iterable[Watcher], expected: int) -> list[str]:
    """What is wrong with the records: each must hold `expected` events once each, in dense offset order."""
    found = []
    reference: list[str] | None = None
    for number, watcher in enumerate(watchers):
        found += [f"watcher {number}: {text}" for text in watcher.wrong]
        ids = [event["id"] for _, event in watcher.events]
        if len(ids) != expected:
            found.append(f"watcher {number}: {len(ids)} events, {expected} expected")
        if len(set(ids)) != len(ids):
            found.append(f"watcher {number}: {len(ids) - len(set(ids))} events twice")
        reference = ids if reference is None else reference
        if ids != reference:
            found.append(f"watcher {number}: another order than watcher 0")
    return found
