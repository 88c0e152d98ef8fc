"""One channel in one gateway process: how far its live stream has come, and who may be joined to it where. Pure.

A topic knows its position (epoch, offset) once its head was read, and from then on accepts only the next event. What
it accepts while somebody waits to join, or is told what was missed, is kept beside the history that was read, so that
both meet the live stream without a hole or a repeat: whoever was told everything up to the topic's offset hears it.
"""

from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple, Protocol

from config.limits import FRAME_BYTES_MAX, TOPIC_RETAINED_BYTES_MAX
from rt.digest import Rate, digest
from rt.feed.past import Budget, Past
from rt.feed.positions import History, Position
from rt.wire.bus import Batch, event_frame
from rt.wire.channels import Channel
from rt.wire.frames import split_frames
from rt.wire.inbound import MessageId


class Reader(Protocol):
    """Who hears a topic."""

    def send(self, data: bytes) -> None:
        """Writes ready frames. Drops them when it is going."""

    def part_due(self) -> None:
        """A part of an answer is due: it fetches that (Recoveries.next_part) when it has room, in its turn."""


class Join(NamedTuple):
    """A `subscribe` that waits for history, or whose client is told it. `deadline`: of the steady clock.

    Once `told`, `subscribed` is out, and `since` is how far the client was told: what cannot be finished is a `gap`.
    """

    reader: Reader
    id: MessageId
    since: Position | None
    deadline: float
    told: bool = False


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
    TOO_LARGE = auto()
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
        "_budget",
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
        "past",
        "queued",
        "rate",
        "readers",
        "recovering",
        "state",
        "told",
        "told_at",
        "version",
        "waiting",
        "wire",
    )

    def __init__(self, channel: Channel, frames_per_s: float = 0.0, budget: Budget | None = None) -> None:
        self.channel = channel
        self.rate = Rate(frames_per_s) if frames_per_s else None
        self.wire = channel.wire
        self.state = State.LOADING
        self.epoch = ""
        self.offset = 0
        self.readers: dict[Reader, int] = {}  # reader -> offset at which it joined
        self.version = 0  # grows when a reader leaves: what was sealed before must look again
        self.waiting: dict[Reader, list[Join | Part]] = {}  # for Redis, in the order of each reader
        self.recovering: dict[Reader, Join] = {}  # what they miss was read, and goes out as their sockets drain
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
        self._retained: list[Batch] = []  # while the position is not known, or behind
        self._retained_bytes = 0
        self.past: Past | None = None  # while somebody waits or recovers
        self._budget = budget or Budget()

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.offset)

    @property
    def idle(self) -> bool:
        """Whether nobody wants it any more."""
        return not (self.readers or self.waiting or self.recovering)

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
        if len(batch.frames) > FRAME_BYTES_MAX and max(map(len, split_frames(batch.frames))) > FRAME_BYTES_MAX:
            return Verdict.TOO_LARGE
        new = after(batch, self.offset)
        self._pending.append(new.frames)
        self._pending_size += new.size
        self.offset = batch.last
        if self.past is not None:
            self.past.add(new.first, list(split_frames(new.frames)))
        return Verdict.NEXT

    def start(self, at: Position) -> None:
        """The position is known now; what came meanwhile follows."""
        self.epoch, self.offset = at
        self._go_live()

    def fill(self, history: History) -> bool:
        """Takes all that was missed after `offset`; False: it is not whole, and the topic stays as it was."""
        if not history.recovered or history.epoch != self.epoch:
            return False
        frames = [event_frame(self.wire, at, body) for at, body in history.events if at > self.offset]
        if any(len(frame) > FRAME_BYTES_MAX for frame in frames):
            return False
        if frames:
            self._pending.append(b"".join(frames))
            self._pending_size += len(frames)
            if self.past is not None:
                self.past.add(self.offset + 1, frames)
        self.offset = max(self.offset, history.offset)
        self._go_live()
        return self.state is State.LIVE

    def _go_live(self) -> None:
        self.state = State.LIVE
        self.hole_since = 0.0
        retained, self._retained, self._retained_bytes = self._retained, [], 0
        for batch in retained:
            if self.state is not State.LIVE:
                self._retain(batch)
            elif self.accept(batch) in (Verdict.HOLE, Verdict.TOO_LARGE):
                self.state = State.FILLING

    def _retain(self, batch: Batch) -> None:
        self._retained.append(batch)
        self._retained_bytes += len(batch.frames)
        while self._retained_bytes > TOPIC_RETAINED_BYTES_MAX:
            self._retained_bytes -= len(self._retained.pop(0).frames)

    # --- joining

    def forget_past(self) -> None:
        """Gives the memory back. Whoever recovers has it read again."""
        if self.past is not None:
            self.past.clear()
            if not (self.waiting or self.recovering):
                self.past = None

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
        if self.past is None:
            self.past = Past(self._budget)

    def wait_ends(self, reader: Reader) -> int:
        """Nothing of this reader waits any more; returns how many did."""
        return len(self.waiting.pop(reader, ()))

    def abandon(self) -> list[Reader]:
        """The stream cannot be kept whole for its readers: they leave, and the topic begins again."""
        gone = list(self.readers)
        self.readers.clear()
        self.forget_past()
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
