"""One channel in one gateway process: how far its live stream has come, and who may be joined to it where. Pure.

A topic knows its position (epoch, offset) once its head was read, and from then on accepts only the next event. What
it accepted while somebody waits to join is retained, so that the reading of history and the live stream meet without
a hole or a repeat: the joiner is told the head that was read, then what came after it, then hears the live stream.
"""

from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple, Protocol

from config.limits import TOPIC_RETAINED_BYTES_MAX
from rt.digest import Rate, digest
from rt.feed.positions import History, Position
from rt.wire.bus import Batch, event_frame
from rt.wire.channels import Channel
from rt.wire.frames import split_frames
from rt.wire.inbound import MessageId


class Reader(Protocol):
    """Who hears a topic."""

    def send(self, data: bytes, *, asked: bool = False) -> None:
        """Writes ready frames: of the live stream, or what the client has `asked` for. Drops them when it is going."""


class Join(NamedTuple):
    """A `subscribe` that waits for history. `deadline`: of the steady clock; then UNAVAILABLE."""

    reader: Reader
    id: MessageId
    since: Position | None
    deadline: float


class Part(NamedTuple):
    """An `unsubscribe` behind a Join of the same reader."""

    reader: Reader
    id: MessageId


class State(Enum):
    """LOADING: position unknown. LIVE: whole so far. FILLING: something was missed and is being read."""

    LOADING = auto()
    LIVE = auto()
    FILLING = auto()


class Verdict(Enum):
    """What a batch was to a topic."""

    NEXT = auto()
    KNOWN = auto()
    HOLE = auto()
    OTHER_EPOCH = auto()
    WAITS = auto()


class Sealed(NamedTuple):
    """Frames for the readers of one moment; `last` is the newest offset in them, `size` how many events."""

    data: bytes
    last: int
    size: int
    readers: tuple[Reader, ...]
    version: int


class Topic:
    """See the module. Writers of `readers` must call `seal` first, so that nobody gets what is not theirs."""

    __slots__ = (
        "_pending",
        "_pending_size",
        "_retained",
        "_retained_bytes",
        "_snapshot",
        "channel",
        "epoch",
        "flushed_at",
        "heard",
        "hole_since",
        "offset",
        "outbox",
        "queued",
        "rate",
        "readers",
        "state",
        "told",
        "told_at",
        "version",
        "waiting",
        "wire",
    )

    def __init__(self, channel: Channel, frames_per_s: float = 0.0) -> None:
        self.channel = channel
        self.rate = Rate(frames_per_s) if frames_per_s else None
        self.wire = channel.wire
        self.state = State.LOADING
        self.epoch = ""
        self.offset = 0
        self.readers: dict[Reader, int] = {}  # reader -> offset at which it joined
        self.version = 0  # grows when a reader leaves: what was sealed before must look again
        self.waiting: dict[Reader, list[Join | Part]] = {}  # in the order of each reader
        self.outbox: list[Sealed] = []  # sealed and not yet written by the hub
        self.heard = False  # the bus has confirmed the subscription at least once
        self.queued = False  # in the loader's queue
        self.hole_since = 0.0  # steady clock; 0 = no known hole
        self.flushed_at = 0.0
        self.told = 0  # the newest offset in PostgreSQL, by the relay's word ...
        self.told_at = 0.0  # ... of this time, steady clock
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._snapshot: tuple[Reader, ...] | None = ()
        self._retained: list[Batch] = []
        self._retained_bytes = 0

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.offset)

    @property
    def idle(self) -> bool:
        """Whether nobody wants it any more."""
        return not self.readers and not self.waiting

    @property
    def sealed_offset(self) -> int:
        """The newest offset that is not pending: a reader may join behind it without a seal."""
        return self.offset - self._pending_size

    # --- the live stream

    def accept(self, batch: Batch) -> Verdict:
        """Takes a batch from the bus; NEXT: something new waits to be sealed."""
        if self.state is not State.LIVE:
            self._retain(batch)
            return Verdict.WAITS
        if batch.epoch != self.epoch:
            return Verdict.OTHER_EPOCH
        if batch.last <= self.offset:
            return Verdict.KNOWN
        if batch.first > self.offset + 1:
            self._retain(batch)
            return Verdict.HOLE
        new = after(batch, self.offset)
        self._pending.append(new.frames)
        self._pending_size += new.size
        self.offset = batch.last
        if self.waiting:
            self._retain(new)
        return Verdict.NEXT

    def start(self, at: Position) -> None:
        """The position is known now; what came meanwhile follows."""
        self.epoch, self.offset = at
        self._go_live()

    def fill(self, history: History) -> bool:
        """Takes what was missed after `offset`; False: it is not whole, and the topic stays as it was."""
        if not history.recovered or history.epoch != self.epoch:
            return False
        missed = [(at, body) for at, body in history.events if at > self.offset]
        if missed:
            frames = b"".join(event_frame(self.wire, at, body) for at, body in missed)
            new = Batch(self.epoch, missed[0][0], len(missed), frames)
            self._pending.append(frames)
            self._pending_size += new.size
            self._retain(new)
            self._retained.sort(key=_first)
        self.offset = max(self.offset, history.offset)
        self._go_live()
        return self.state is State.LIVE

    def _go_live(self) -> None:
        self.state = State.LIVE
        self.hole_since = 0.0
        retained, self._retained, self._retained_bytes = self._retained, [], 0
        for batch in retained:
            if batch.last <= self.offset or self.state is not State.LIVE:
                self._retain(batch)
            elif self.accept(batch) is Verdict.HOLE:
                self.state = State.FILLING

    def _retain(self, batch: Batch) -> None:
        self._retained.append(batch)
        self._retained_bytes += len(batch.frames)
        while self._retained_bytes > TOPIC_RETAINED_BYTES_MAX:
            self._retained_bytes -= len(self._retained.pop(0).frames)

    # --- joining

    def rest(self, offset: int) -> bytes | None:
        """The frames after `offset` up to the topic's own offset; None where they are not all retained."""
        if offset >= self.offset:
            return b"" if offset == self.offset else None
        parts: list[bytes] = []
        at = offset
        for batch in self._retained:
            if batch.epoch == self.epoch and batch.first <= at + 1 <= batch.last and at < self.offset:
                parts.append(after(batch, at).frames)
                at = batch.last
        return b"".join(parts) if at == self.offset else None

    def forget_retained(self) -> None:
        """Nobody waits any more."""
        if self.state is State.LIVE and not self.waiting:
            self._retained, self._retained_bytes = [], 0

    def add(self, reader: Reader, *, hears_pending: bool = False) -> None:
        """The reader has been told everything up to the topic's offset, or only up to `sealed_offset`."""
        if not hears_pending:
            self.seal()
        self.readers[reader] = self.sealed_offset
        self._snapshot = None

    def remove(self, reader: Reader) -> None:
        """Nothing more for this reader, if it was one."""
        if self.readers.pop(reader, None) is not None:
            self._snapshot = None
            self.version += 1

    def wait(self, entry: Join | Part) -> None:
        """Behind whatever of the same reader waits already."""
        self.waiting.setdefault(entry.reader, []).append(entry)

    def wait_ends(self, reader: Reader) -> int:
        """Nothing of this reader waits any more; returns how many did."""
        return len(self.waiting.pop(reader, ()))

    def abandon(self) -> list[Reader]:
        """The stream cannot be kept whole for its readers: they leave, and the topic begins again."""
        gone = list(self.readers)
        self.readers.clear()
        self._snapshot = ()
        self.version += 1
        self._pending, self._pending_size = [], 0
        self._retained, self._retained_bytes = [], 0
        self.outbox.clear()  # offsets of another epoch say nothing to those who join again
        self.state = State.LOADING
        self.hole_since = 0.0
        return gone

    # --- out

    def may_seal(self, now: float) -> bool:
        """Whether the channel's rate lets a frame out at `now` (steady clock)."""
        if self.rate is None:
            return True
        self.rate.refresh(now)
        return self.rate.ready

    def seal(self) -> None:
        """Closes what is pending for the readers of this moment."""
        if self._pending:
            data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
            if self.rate is not None:
                data = self._bounded(data, self.rate)
            size, self._pending, self._pending_size = self._pending_size, [], 0
            if self._snapshot is None:
                self._snapshot = tuple(self.readers)
            if self._snapshot:
                self.outbox.append(Sealed(data, self.offset, size, self._snapshot, self.version))

    def _bounded(self, data: bytes, rate: Rate) -> bytes:
        """What is over the rate as one digest."""
        alone = rate.spend(self._pending_size)
        if alone >= self._pending_size:
            return data
        frames = list(split_frames(data))
        first = self.sealed_offset + 1 + alone
        return b"".join((*frames[:alone], digest(self.wire, first, frames[alone:])))


def after(batch: Batch, offset: int) -> Batch:
    """The part of a batch after `offset`, which it must reach beyond."""
    known = offset - batch.first + 1
    if known <= 0:
        return batch
    frames: Iterable[bytes] = list(split_frames(batch.frames))[known:]
    return Batch(batch.epoch, offset + 1, batch.size - known, b"".join(frames))


def _first(batch: Batch) -> int:
    return batch.first
