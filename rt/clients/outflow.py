"""What goes out to one socket: at once, or in parts as it drains; and its end where it does not drain."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, cast

from config.limits import MAP_WRITE_BYTES_MAX
from rt.channels.asks import Reader
from rt.clients.gateway import Gateway
from rt.clients.peer import Peer
from rt.map.writers import MapFrame, Tiles
from rt.sockets.connection import OPEN
from rt.sockets.sendqueue import Backlog
from rt.wire.closes import Closing

__all__ = ["BUFFER_MARK_BYTES", "Outflow"]

BUFFER_MARK_BYTES: Final = 16 * 1024  # more than this waiting: the client is behind; a part of an answer is no less


class Outflow(Peer):
    """See the module. A subclass says what is asked for."""

    __slots__ = ("_backlog", "_resolution", "_tiles")

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._backlog: Backlog | None = None
        self._resolution = 0  # of the viewport; 0 = none
        self._tiles: Tiles | None = None  # of the map, that it is to get as soon as it has room

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted."""
        super().connection_made(transport)
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=BUFFER_MARK_BYTES)

    def connection_lost(self, error: Exception | None) -> None:
        """Gone."""
        self._gateway.slow.discard(self)
        self._backlog = None
        super().connection_lost(error)

    def readers_of(self, _wire: str) -> Iterable[Reader]:
        """Who of it would hear this channel."""
        return (self,)

    def send(self, data: bytes) -> None:
        """Ready frames."""
        if self.phase == OPEN:
            backlog = self._backlog
            if self._batch is None:  # `write`, a call less for each socket and event
                self.put(data)
            else:
                self._batch.append(data)
            if backlog is not None:
                backlog.wrote(len(data))
                self.check_backlog(self._gateway.awake.now())

    def send_map(self, parts: Sequence[MapFrame], joined: bytes) -> None:
        """Frames of tiles, or `online`: whoever is behind gets the newest only."""
        if self._backlog is None and self._tiles is None:
            self.send(joined)
        else:
            if self._tiles is None:
                self._tiles = Tiles()
            for part in parts:
                self._tiles.hold(part)

    def watch_map(self, answer: bytes, resolution: int, tiles: Sequence[str]) -> None:
        """Another part of the map: the answer with its tiles in one write, or as there is room for them."""
        frames = [answer]
        self._resolution, self._tiles = resolution, None
        self._gateway.map.watch(self, resolution, tiles, frames.append)
        joined = b"".join(frames)
        if self._backlog is None and len(joined) + self._batched_bytes <= MAP_WRITE_BYTES_MAX:
            self.send(joined)
        else:
            self.send(answer)
            self._tiles = Tiles(tiles)
            self.part_due()

    def part_due(self) -> None:
        """Something is due that goes out in parts; they are fetched in turn while there is room."""
        if self._backlog is None:
            self._gateway.pump.add(self)

    def next_part(self, bytes_max: int) -> int:
        """Sends the next part of what is due; returns how many bytes, 0 = nothing now."""
        if self._backlog is not None or self.phase != OPEN:
            return 0
        size = self._send_tiles() or self._gateway.hub.recoveries.next_part(self, bytes_max)
        self._allow(size)
        return size

    def _allow(self, size: int) -> None:
        """Where the part has filled the socket's buffer, it does not count as unread."""
        if self._backlog is not None:
            self._backlog.allow(size)

    def _send_tiles(self) -> int:
        tiles = self._tiles
        if tiles is None:
            return 0
        joined = b"".join(tiles.take(self._resolution, self._gateway.map.whole))
        if not tiles:
            self._tiles = None
        self.send(joined)
        return len(joined)

    def nothing_due(self) -> None:
        """What was not sent is wanted no more."""
        self._tiles = None
        self._gateway.pump.leave(self)

    def pause_writing(self) -> None:
        """The client has fallen behind."""
        if self._backlog is None and self.transport is not None and self.phase == OPEN:
            self._backlog = Backlog(self.transport.get_write_buffer_size(), self._gateway.awake.now())
            self._gateway.slow.add(self)

    def resume_writing(self) -> None:
        """It has caught up: what is due goes on, tiles whole."""
        self._backlog = None
        self._gateway.slow.discard(self)
        if self._tiles is not None or self._gateway.hub.recoveries.under_way(self):
            self._gateway.pump.add(self)

    def check_backlog(self, now: float) -> None:
        """Cuts a client that is too far behind."""
        backlog, transport = self._backlog, self.transport
        if backlog is not None and transport is not None and backlog.is_lost(transport.get_write_buffer_size(), now):
            self._gateway.slow.discard(self)
            self.close(Closing.TOO_SLOW)
