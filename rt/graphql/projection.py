"""What is told of one channel to all who selected the same: each event is written once, whoever waits for it. Pure.

A flush hands the same bytes to each reader of the channel. The first one with a selection has them written as payloads,
the others find those. What is told to somebody who comes back is kept by offset for the next one who was away.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgspec
import orjson

from config.limits import FRAME_BYTES_MAX
from rt.feed.positions import Position
from rt.graphql.kinds import MapTold, event_told, event_writer, map_writer
from rt.graphql.selection import Field
from rt.map.geometry import Bounds, View, inside
from rt.wire.frames import payload_of, split_frames
from rt.wire.graphql import next_begun
from rt.wire.map import cells_of

__all__ = ["FeedProjection", "MapProjection", "Projections", "Told", "gap", "place_of"]

HEAD_BYTES: Final = 512  # of a frame beside its payload: the id, and what is around it
PAYLOAD_BYTES_MAX: Final = FRAME_BYTES_MAX - HEAD_BYTES
KEPT_EVENTS: Final = 1_000  # of one projection, for those who come back ...
KEPT_BYTES_MAX: Final = 16 * 1024 * 1024  # ... and of all projections of a process together

Made = TypeVar("Made", "FeedProjection", "MapProjection")


class _Event(NamedTuple):
    offset: int
    body: bytes


class _Numbered(msgspec.Struct, gc=False):
    offset: int
    event: msgspec.Raw


class _Digest(msgspec.Struct, rename={"first": "from", "last": "to"}, gc=False):
    first: int
    last: int
    counts: dict[str, int]
    events: list[_Numbered]


_digest: Final = msgspec.json.Decoder(_Digest)
_DIGEST: Final = b'{"type":"digest"'


class Told:
    """Payloads, oldest first, and the offset that a client has with the last."""

    __slots__ = ("_begun", "last", "payloads")

    def __init__(self, payloads: Iterable[bytes], last: int) -> None:
        self.payloads = tuple(payloads)
        self.last = last
        self._begun: dict[int, tuple[bytes, ...]] = {}  # by the bytes of a tail

    def frames(self, tail: bytes) -> bytes:
        """The frames for an operation with this tail: what stands before it is made once for all that are as long."""
        begun = self._begun.get(len(tail))
        if begun is None:
            parts = [next_begun(payload, len(tail)) for payload in self.payloads]
            begun = self._begun[len(tail)] = (*parts, b"") if parts else ()
        return tail.join(begun)


class Budget:
    """Bytes that the projections of a process keep together."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0


class FeedProjection:
    """One channel by one selection. `wire`: the channel's name."""

    __slots__ = ("_begins", "_budget", "_data", "_epoch", "_kept", "_root", "_told", "_write")

    def __init__(self, wire: str, field: Field, budget: Budget) -> None:
        self._begins = b'{"type":"event","channel":"%b","offset":' % wire.encode()
        self._root = b'{"data":{%b:' % orjson.dumps(field.key)
        self._write = event_writer(field.below)
        self._budget = budget
        self._data = b""
        self._epoch = ""
        self._told: Told | None = None
        self._kept: dict[int, bytes] = {}

    def told(self, data: bytes, epoch: str) -> Told | None:
        """What `data` is, a run of events or what stands for some; None where it is something else."""
        if data is self._data and epoch == self._epoch:
            return self._told
        self._turn_to(epoch)
        payloads: list[bytes] = []
        last = 0
        for frame in split_frames(data):
            payload = payload_of(frame)
            if payload.startswith(self._begins):
                last = self._add_event(payloads, payload)
            elif payload.startswith(_DIGEST):
                last = self._add_digest(payloads, payload)
            else:
                return None
        self._data, self._told = data, Told(payloads, last)
        return self._told

    def one(self, epoch: str, offset: int, body: bytes) -> bytes:
        """The payload of one event of the past, which others may miss as well."""
        self._turn_to(epoch)
        kept = self._kept.get(offset)
        if kept is None:
            kept = self._payload(offset, body, b"")
            if self._budget.used + len(kept) <= KEPT_BYTES_MAX:
                self._kept[offset] = kept
                self._budget.used += len(kept)
                if len(self._kept) > KEPT_EVENTS:
                    self._budget.used -= len(self._kept.pop(next(iter(self._kept))))
        return kept

    def clear(self) -> None:
        """Gives its memory back."""
        self._budget.used -= sum(map(len, self._kept.values()))
        self._kept.clear()
        self._data, self._told = b"", None

    def _turn_to(self, epoch: str) -> None:
        if epoch != self._epoch:
            self.clear()
            self._epoch = epoch

    def _add_event(self, payloads: list[bytes], payload: bytes) -> int:
        at = len(self._begins)
        comma = payload.index(b",", at)
        offset = int(payload[at:comma])
        kept = self._kept.get(offset)
        payloads.append(kept or self._payload(offset, payload[comma + len(b',"event":') : -1], b""))
        return offset

    def _add_digest(self, payloads: list[bytes], payload: bytes) -> int:
        """The sample as events, of which the first says what it stands for."""
        digest = _digest.decode(payload)
        said = b'"digest":%b,' % orjson.dumps({"from": digest.first, "to": digest.last, "counts": digest.counts})
        if not digest.events:
            payloads.append(b'{"data":null,"extensions":{%b%b}}' % (said, self._position(digest.last)))
        for number, one in enumerate(digest.events):
            payloads.append(self._payload(one.offset, bytes(one.event), b"" if number else said))
        return digest.last

    def _payload(self, offset: int, body: bytes, said: bytes) -> bytes:
        try:
            data = self._write(event_told(body, self._epoch, offset))
        except ValueError:
            data = b""
        if not data or len(data) > PAYLOAD_BYTES_MAX:  # pages have it
            return gap(Position(self._epoch, offset - 1), Position(self._epoch, offset))
        return b'%b%b},"extensions":{%b%b}}' % (self._root, data, said, self._position(offset))

    def _position(self, offset: int) -> bytes:
        return b'"position":%b' % _place(Position(self._epoch, offset))


class MapProjection:
    """A part of the map by one selection, as all are told it who look at just that."""

    __slots__ = ("_box", "_key", "_payload", "_resolution", "_seen", "_write")

    def __init__(self, box: Bounds, resolution: int, field: Field) -> None:
        self._box = box
        self._resolution = resolution
        self._key = b'{"data":{%b:' % orjson.dumps(field.key)
        self._write = map_writer(field.below)
        self._seen: tuple[tuple[bytes, ...], int] | None = None
        self._payload = b""

    def payload(self, tiles: tuple[bytes, ...], online: int) -> bytes:
        """The map out of the frames of its tiles, each whole; the same bytes while what is selected is the same.

        Raises ValueError where it does not fit into a frame.
        """
        seen = (tiles, online)
        if seen != self._seen:
            all_cells = chain.from_iterable(cells_of(payload_of(tile)) for tile in tiles)
            cells = [(cell, count) for cell, count in all_cells if inside(self._box, cell)]
            written = b"%b%b}}" % (self._key, self._write(MapTold(self._resolution, online, cells)))
            if len(written) > PAYLOAD_BYTES_MAX:
                raise ValueError("the map is larger than a frame: look at a smaller part of it")
            if written != self._payload:
                self._payload = written
            self._seen = seen
        return self._payload

    def clear(self) -> None:
        """Gives its memory back."""
        self._seen, self._payload = None, b""


class Projections:
    """Those that somebody in a process has, by what makes them the same."""

    __slots__ = ("_budget", "_of", "_users")

    def __init__(self) -> None:
        self._budget = Budget()
        self._of: dict[Hashable, FeedProjection | MapProjection] = {}
        self._users: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._of)

    def feed(self, wire: str, field: Field) -> FeedProjection:
        """Of a channel, for one more who has it."""
        return self._take((wire, field), lambda: FeedProjection(wire, field, self._budget))

    def map(self, box: Bounds, view: View, field: Field) -> MapProjection:
        """Of a part of the map."""
        return self._take((box, view, field), lambda: MapProjection(box, view.resolution, field))

    def _take(self, key: Hashable, make: Callable[[], Made]) -> Made:
        made = self._of.get(key)
        if made is None:
            made = self._of[key] = make()
        self._users[key] = self._users.get(key, 0) + 1
        return cast(Made, made)

    def give_back(self, key: Hashable) -> None:
        """One has it no more."""
        self._users[key] -= 1
        if not self._users[key]:
            del self._users[key]
            self._of.pop(key).clear()


def gap(since: Position, to: Position) -> bytes:
    """The payload that says: what came behind `since`, up to `to`, is not told here; pages have it."""
    return b'{"data":null,"extensions":{"gap":{"from":%b,"to":%b},"position":%b}}' % (
        _place(since), _place(to), _place(to),
    )  # fmt: skip


def place_of(position: Position) -> Mapping[str, Any]:
    """As clients are told it."""
    return {"epoch": position.epoch, "offset": position.offset}


def _place(position: Position) -> bytes:
    return orjson.dumps(place_of(position))
