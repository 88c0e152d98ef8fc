"""A viewer of the map that remembers, and an ear on Redis' Pub/Sub."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson

from config.redis import RedisClient
from rt.map.tiles import MapView
from rt.map.writers import MapFrame
from rt.wire.frames import split_frames

Heard = Callable[[int], Awaitable[list[tuple[str, bytes]]]]


def frame_text(frame: bytes) -> Any:
    """The JSON of one server frame."""
    assert list(split_frames(frame)) == [frame]
    at = {126: 4, 127: 10}.get(frame[1], 2)
    return orjson.loads(frame[at:])


class Screen:
    """A client's map: applies `map` messages as the protocol says."""

    def __init__(self) -> None:
        self.frames: dict[str, list[bytes]] = defaultdict(list)
        self.tiles: dict[str, dict[str, int]] = {}
        self.versions: dict[str, int] = {}
        self.writes = 0

    def send_map(self, parts: Sequence[MapFrame], joined: bytes) -> None:
        assert joined == b"".join(part.frame for part in parts)
        self.writes += 1
        for part in parts:
            self._take(part.tile, part.frame)

    def watch(self, view: MapView, resolution: int, tiles: Iterable[str]) -> None:
        """Looks there, as a client does that sends `viewport`."""
        view.watch(self, resolution, tiles, lambda frame: self._take(frame_text(frame)["tile"], frame))

    def _take(self, tile: str, frame: bytes) -> None:
        self.frames[tile].append(frame)
        message = frame_text(frame)
        if message["type"] != "map":
            return
        if message["whole"]:
            self.tiles[tile] = dict(message["cells"])
        else:
            assert message["version"] == self.versions[tile] + 1, "a hole"
            for cell, count in message["cells"]:
                self.tiles[tile][cell] = count
                if not count:
                    del self.tiles[tile][cell]
        self.versions[tile] = message["version"]

    def cells(self) -> dict[str, int]:
        return {cell: count for tile in self.tiles.values() for cell, count in tile.items()}


@asynccontextmanager
async def hear(redis: RedisClient, *channels: str, pattern: bool = False) -> AsyncIterator[Heard]:
    """Hears everything on these channels; `await heard(n)` gives what came so far, at least `n` messages."""
    ear: Any = redis.pubsub()
    await (ear.psubscribe(*channels) if pattern else ear.subscribe(*channels))
    for _ in channels:  # confirmations: what is published from now on is heard
        assert await ear.get_message(timeout=5.0) is not None

    async def heard(least: int) -> list[tuple[str, bytes]]:
        messages: list[tuple[str, bytes]] = []
        while message := await ear.get_message(timeout=5.0 if len(messages) < least else 0.1):
            messages.append((message["channel"].decode(), message["data"]))
        assert len(messages) >= least
        return messages

    try:
        yield heard
    finally:
        await ear.aclose()
