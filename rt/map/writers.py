"""Frames of the map on their way to sockets: what comes together goes to each viewer in one write.

A write costs ten times what is in it, and most who look at the map look at the same part of it. So frames are gathered
for a moment, joined once per view, and sent to MAP_SENDS_PER_TURN viewers in one turn of the loop. Events of feeds go
first: while the process has some to write, the map takes what they leave.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Final, NamedTuple, Protocol

from config.limits import MAP_WRITE_BYTES_MAX

__all__ = ["ONLINE_SLOT", "MapFrame", "Tiles", "View", "Viewer", "Writers"]

MAP_SENDS_PER_TURN: Final = 128  # writes of the map, as FLUSH_WRITES_PER_TURN ...
MAP_SENDS_BESIDE_FEEDS: Final = 16  # ... while events wait for their sockets: they are older than any map when late

ONLINE_SLOT: Final = "online"  # the `tile` of an `online` frame


class MapFrame(NamedTuple):
    """A ready frame of one tile (or ONLINE_SLOT); `number` grows with each that is made in a process."""

    number: int
    tile: str
    frame: bytes


class Tiles:
    """What a viewer is to get when it has room: names of tiles, which go out whole and as they are then."""

    __slots__ = ("_online", "_tiles")

    def __init__(self, tiles: Iterable[str] = ()) -> None:
        self._tiles = dict.fromkeys(tiles)
        self._online: bytes | None = None

    def __bool__(self) -> bool:
        return bool(self._tiles) or self._online is not None

    def hold(self, part: MapFrame) -> None:
        """There was something newer."""
        if part.tile == ONLINE_SLOT:
            self._online = part.frame
        else:
            self._tiles[part.tile] = None

    def take(self, resolution: int, whole: Callable[[int, str], bytes | None]) -> list[bytes]:
        """The frames of one write: up to MAP_WRITE_BYTES_MAX, or one. Tiles that are not known come when they are."""
        frames: list[bytes] = []
        size = 0
        if self._online is not None:
            frames.append(self._online)
            size, self._online = len(self._online), None
        for tile in list(self._tiles):
            frame = whole(resolution, tile)
            if frame is not None:
                if frames and size + len(frame) > MAP_WRITE_BYTES_MAX:
                    break
                frames.append(frame)
                size += len(frame)
            del self._tiles[tile]
        return frames


class Viewer(Protocol):
    """One socket with a viewport."""

    def send_map(self, parts: Sequence[MapFrame], joined: bytes) -> None:
        """Takes ready frames, and their bytes in one piece. One who is behind may drop what it has of a tile."""


class View(Protocol):
    """What several look at."""

    viewers: dict[Viewer, None]


class _Write:
    """Frames that were gathered. `came` has those who were shown everything up to a part's number meanwhile."""

    __slots__ = ("came", "online", "parts")

    def __init__(self) -> None:
        self.parts: defaultdict[View, list[MapFrame]] = defaultdict(list)
        self.online: bytes | None = None
        self.came: dict[Viewer, int] = {}


class Writers:
    """See the module. One round is being sent, one gathered; `busy` says whether feeds have something to write."""

    def __init__(self, views: Callable[[], Iterable[View]], gather_s: float, busy: Callable[[], bool]) -> None:
        self._views = views  # all there are
        self._gather_s = gather_s
        self._busy = busy
        self._numbers = count(1)
        self._last = 0
        self._gathering: _Write | None = None
        self._ripe = False  # what is gathered may go
        self._round: _Write | None = None  # that is being sent
        self._sending: Iterator[None] = iter(())
        self._left = MAP_SENDS_PER_TURN
        self._turning = False

    def add(self, views: Iterable[View], tile: str, frame: bytes) -> None:
        """A frame for whoever has one of these views now."""
        self._last = next(self._numbers)
        part = MapFrame(self._last, tile, frame)
        parts = self._gathered().parts
        for view in views:
            parts[view].append(part)
        self._go_on()

    def add_online(self, frame: bytes) -> None:
        """The newest `online`, for every viewer; an older one that has not begun is forgotten."""
        self._gathered().online = frame
        self._go_on()

    def came(self, viewer: Viewer) -> None:
        """The viewer has just been shown what it looks at: nothing older may reach it."""
        for one in (self._round, self._gathering):
            if one is not None:
                one.came[viewer] = self._last

    def flush(self) -> None:
        """Somebody waits for what was added: it is gathered no longer."""
        self._ripe = self._gathering is not None
        self._drain()

    def _gathered(self) -> _Write:
        if self._gathering is None:
            self._gathering, self._ripe = _Write(), self._gather_s <= 0
            if not self._ripe:
                asyncio.get_running_loop().call_later(self._gather_s, self.flush)
        return self._gathering

    def _go_on(self) -> None:
        if self._ripe:
            self._drain()

    def _drain(self) -> None:
        while self._left > 0:
            if self._round is None:
                if not self._ripe or self._gathering is None:
                    break
                self._round, self._gathering, self._ripe = self._gathering, None, False
                self._sending = self._send(self._round)
            for _ in self._sending:
                self._left -= 1
                if self._left <= 0:
                    break
            else:
                self._round = None
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turning = False
        self._left = MAP_SENDS_BESIDE_FEEDS if self._busy() else MAP_SENDS_PER_TURN
        if self._round is not None or self._ripe:
            self._drain()

    def _send(self, one: _Write) -> Iterator[None]:
        """Writes to one viewer after another."""
        if one.online is not None:
            self._last = next(self._numbers)
            part = MapFrame(self._last, ONLINE_SLOT, one.online)
            for view in self._views():
                one.parts[view].append(part)
        for view, parts in one.parts.items():
            for group in _groups(parts):
                joined = b"".join([part.frame for part in group])
                for viewer in list(view.viewers):
                    if viewer not in view.viewers:
                        continue  # it has left, or looks elsewhere
                    seen = one.came.get(viewer)
                    if seen is None:
                        viewer.send_map(group, joined)
                    else:
                        for part in group:
                            if part.number > seen:
                                viewer.send_map((part,), part.frame)
                    yield


def _groups(parts: Sequence[MapFrame]) -> Iterator[list[MapFrame]]:
    """In order, as many in one write as fit into MAP_WRITE_BYTES_MAX; a larger frame alone."""
    group: list[MapFrame] = []
    size = 0
    for part in parts:
        if group and size + len(part.frame) > MAP_WRITE_BYTES_MAX:
            yield group
            group, size = [], 0
        group.append(part)
        size += len(part.frame)
    yield group
