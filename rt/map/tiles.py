"""The map in one gateway process: the tiles that somebody here looks at, and frames that all of them share.

State comes from Redis once per tile, then changes come by the bus. A tile's frame is built once per change; a viewer
who comes late gets the whole tile from here. Versions decide: the next one is applied, an old one is skipped, a hole
is filled by loading the tile again.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import orjson
import structlog

from config.redis import AWAY, RedisClient
from rt.map.aggregate import TileKey
from rt.map.writers import Viewer, Writers
from rt.wire.bus import MAP_CHANNEL, ONLINE_CHANNEL, TILES_KEY
from rt.wire.frames import text_frame
from rt.wire.map import Change, cells_of, change, decode

__all__ = ["MapView"]

log = structlog.get_logger()

MAP_GATHER_S: Final = 0.05  # what the keeper says within this goes out in one write
MAP_PENDING_PER_TILE_MAX: Final = 16  # changes kept while a tile is being loaded; more: load again

_LOAD_TILES: Final = 256
_RETRY_S: Final = 0.5


class _Tile:
    """One tile with viewers here. `version` None: being loaded, changes wait in `pending`.

    Changes are kept as they came and applied when somebody needs the whole tile.
    """

    __slots__ = ("cells", "frame", "key", "later", "pending", "version", "views")

    def __init__(self, key: TileKey) -> None:
        self.key = key
        self.version: int | None = None
        self.cells: dict[str, int] = {}
        self.later: list[bytes] = []  # messages that `cells` does not have yet
        self.views: dict[_View, None] = {}
        self.pending: list[Change] = []
        self.frame: bytes | None = None  # the whole tile at this version, once somebody needed it

    def load(self, version: int, cells: dict[str, int]) -> None:
        """What Redis has."""
        self.version, self.cells, self.later, self.frame = version, cells, [], None

    def whole(self) -> bytes:
        if self.frame is None:
            self._apply()
            self.frame = text_frame(change(*self.key, self.version or 0, True, list(self.cells.items())).text)
        return self.frame

    def take(self, new: Change) -> bytes | None:
        """Takes a change and returns its frame; None for an old one. Raises LookupError where one is missing."""
        frame = text_frame(new.text)
        if new.whole:
            self.cells, self.later, self.version, self.frame = {}, [new.text], new.version, frame
            return frame
        if self.version is None or new.version > self.version + 1:
            raise LookupError
        if new.version <= self.version:
            return None
        self.version, self.frame = new.version, None
        self.later.append(new.text)
        if len(self.later) > MAP_PENDING_PER_TILE_MAX:
            self._apply()
        return frame

    def _apply(self) -> None:
        later, self.later = self.later, []
        for text in later:
            for cell, count in cells_of(text):
                if count:
                    self.cells[cell] = count
                else:
                    self.cells.pop(cell, None)


class _View:
    """Tiles that are looked at together, and by whom: most who look at the map look at the same part of it."""

    __slots__ = ("key", "tiles", "viewers")

    def __init__(self, key: tuple[int, tuple[str, ...]], tiles: tuple[_Tile, ...]) -> None:
        self.key = key
        self.tiles = tiles
        self.viewers: dict[Viewer, None] = {}


class MapView:
    """See the module. Synchronous but for `run`, which loads tiles."""

    def __init__(
        self, redis: RedisClient, *, gather_s: float = MAP_GATHER_S, busy: Callable[[], bool] = lambda: False
    ) -> None:
        self.loads = 0
        self.online: int | None = None  # everywhere, as `online` said last
        self._redis = redis
        self._tiles: dict[TileKey, _Tile] = {}
        self._views: dict[tuple[int, tuple[str, ...]], _View] = {}
        self._viewers: dict[Viewer, _View] = {}
        self._wanted: dict[TileKey, None] = {}
        self._wake = asyncio.Event()
        self._writers = Writers(lambda: list(self._views.values()), gather_s, busy)

    def channels(self) -> tuple[str, ...]:
        """The Pub/Sub channels whose messages `on_message` wants."""
        return (MAP_CHANNEL, ONLINE_CHANNEL)

    def watch(self, viewer: Viewer, resolution: int, tiles: Iterable[str], tell: Callable[[bytes], None]) -> None:
        """The viewer now looks at these tiles only, and is told each whole: those that are there now, others soon."""
        self.unwatch(viewer)
        key = (resolution, tuple(tiles))
        view = self._views.get(key) or self._begin(key)
        view.viewers[viewer] = None
        self._viewers[viewer] = view
        for tile in view.tiles:
            if tile.version is not None:
                tell(tile.whole())
        self._writers.came(viewer)

    def unwatch(self, viewer: Viewer) -> None:
        """The viewer looks at nothing any more. Safe for one that never did."""
        view = self._viewers.pop(viewer, None)
        if view is None:
            return
        del view.viewers[viewer]
        if view.viewers:
            return
        del self._views[view.key]
        for tile in view.tiles:
            del tile.views[view]
            if not tile.views:
                del self._tiles[tile.key]
                self._wanted.pop(tile.key, None)

    def _begin(self, key: tuple[int, tuple[str, ...]]) -> _View:
        """A view that nobody had."""
        resolution, names = key
        tiles = []
        for name in names:
            tile = self._tiles.get(TileKey(resolution, name))
            if tile is None:
                tile = self._tiles[TileKey(resolution, name)] = _Tile(TileKey(resolution, name))
                self._want(tile)
            tiles.append(tile)
        view = self._views[key] = _View(key, tuple(tiles))
        for tile in tiles:
            tile.views[view] = None
        return view

    def whole(self, resolution: int, tile: str) -> bytes | None:
        """The whole tile as it is now, for a viewer that dropped changes; None while it is not known."""
        known = self._tiles.get(TileKey(resolution, tile))
        return None if known is None or known.version is None else known.whole()

    def resync(self) -> None:
        """The bus was away: everything that is looked at is loaded again."""
        for tile in self._tiles.values():
            self._want(tile)

    def on_message(self, channel: str, payload: bytes) -> None:
        """A message of the bus. What is no message of the keeper is ignored."""
        try:
            if channel == ONLINE_CHANNEL:
                message = orjson.loads(payload)
                self.tell_online(message["users"], message["training"])
            elif channel == MAP_CHANNEL:
                for new in decode(payload):
                    tile = self._tiles.get(TileKey(new.resolution, new.tile))
                    if tile is not None:
                        self._change(tile, new)
        except (ValueError, KeyError, TypeError):
            log.warning("map_message_unreadable", channel=channel)

    def tell_online(self, users: int, training: int) -> None:
        """Hands `online` to every viewer; also for a gateway that counts from memory while Redis is away."""
        self.online = users
        frame = text_frame(orjson.dumps({"type": "online", "users": users, "training": training}))
        self._writers.add_online(frame)

    async def run(self, stopping: asyncio.Event) -> None:
        """Loads the tiles that are wanted, until cancelled or `stopping` is set; waits for a Redis that is away."""
        while not stopping.is_set():
            await self._wake.wait()
            self._wake.clear()
            while self._wanted and not stopping.is_set():
                keys = list(self._wanted)[:_LOAD_TILES]
                try:
                    await self.load(keys)
                except AWAY:
                    await asyncio.sleep(_RETRY_S)

    async def load(self, keys: Sequence[TileKey]) -> None:
        """Reads tiles and hands them, whole, to all who look at them. Raises RedisError, OSError, TimeoutError."""
        self.loads += len(keys)
        answers = await self._redis.hmget(TILES_KEY, [key.field for key in keys])
        for key, answer in zip(keys, answers, strict=True):
            tile = self._tiles.get(key)
            if tile is None or key not in self._wanted:
                continue
            state: dict[str, Any] = orjson.loads(answer) if answer else {"version": 0, "cells": []}
            tile.load(state["version"], dict(state["cells"]))
            pending, tile.pending = tile.pending, []
            del self._wanted[key]
            try:
                for new in pending:
                    tile.take(new)
            except LookupError:
                self._want(tile)
                continue
            self._send(tile, tile.whole())
        self._writers.flush()

    def _change(self, tile: _Tile, new: Change) -> None:
        if tile.version is None:
            tile.pending.append(new)
            if len(tile.pending) > MAP_PENDING_PER_TILE_MAX:
                del tile.pending[0]  # the hole is seen when they are applied, and the tile is loaded again
            return
        try:
            frame = tile.take(new)
        except LookupError:
            self._want(tile)
            return
        if frame is not None:
            self._send(tile, frame)

    def _send(self, tile: _Tile, frame: bytes) -> None:
        """To all who look at it now."""
        self._writers.add(tile.views, tile.key.tile, frame)

    def _want(self, tile: _Tile) -> None:
        tile.version, tile.pending = None, []
        self._wanted[tile.key] = None
        self._wake.set()
