"""One channel in one gateway process: how far its live stream has come, and who may be joined to it where. Pure.

A topic knows its position (epoch, offset) once its head was read, and from then on accepts only the next event. What
it accepts while somebody waits to join, or is told what was missed, is kept beside the history that was read, so that
both meet the live stream without a hole or a repeat: whoever was told everything up to the topic's offset hears it.
"""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

from config.limits import FRAME_BYTES_MAX
from rt.channels.asks import Ask, Asks, Reader, UnderWay
from rt.channels.outbox import Outbox
from rt.channels.past import Budget, Past
from rt.feed.positions import History, Position
from rt.wire.bus import Batch, event_frame
from rt.wire.channels import Channel
from rt.wire.frames import split_frames

TOPIC_RETAINED_BYTES_MAX: Final = 4 * 1024 * 1024  # of one channel, heard before its position is known


class StreamState(Enum):
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


class Topic:
    """See the module. What can happen to it are its methods; nothing else changes what it holds.

    `asks`: who waits for an answer. `out`: who hears it, and what is to be written to them.
    """

    __slots__ = (
        "_budget",
        "_hole_since",
        "_retained",
        "_retained_bytes",
        "asks",
        "channel",
        "epoch",
        "heard",
        "newest",
        "newest_at",
        "out",
        "past",
        "state",
        "wire",
    )

    def __init__(
        self, channel: Channel, under_way: UnderWay, frames_per_s: float = 0.0, budget: Budget | None = None
    ) -> None:
        self.channel = channel
        self.wire = channel.wire
        self.out = Outbox(channel.wire, frames_per_s)
        self.asks = Asks(under_way)
        self.state = StreamState.LOADING
        self.epoch = ""
        self.heard = False  # the bus has confirmed the subscription at least once
        self.newest = 0  # offset in PostgreSQL, by the relay's word ...
        self.newest_at = 0.0  # ... of this time, steady clock
        self.past: Past | None = None  # while somebody waits or recovers
        self._hole_since = 0.0  # steady clock; 0 = no known hole
        self._retained: list[Batch] = []  # while the position is not known, or behind
        self._retained_bytes = 0
        self._budget = budget or Budget()

    @property
    def offset(self) -> int:
        """The newest event that was accepted."""
        return self.out.offset

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.out.offset)

    @property
    def idle(self) -> bool:
        """Whether nobody wants it any more."""
        return not (self.out.readers or self.asks)

    def hole_s(self, now: float) -> float:
        """For how long a hole has been known; 0 = there is none."""
        return now - self._hole_since if self._hole_since else 0.0

    # --- the live stream

    def confirmed(self) -> None:
        """The bus hears this channel (again): what was published before is in Redis, what comes after will be heard."""
        self.heard = True
        if self.state is StreamState.LIVE:
            self.state = StreamState.FILLING

    def newest_is(self, offset: int, now: float) -> None:
        """The relay says what is newest in PostgreSQL."""
        self.newest, self.newest_at = offset, now

    def accept(self, batch: Batch, now: float) -> Verdict:
        """Takes a batch from the bus at `now` (steady clock).

        NEXT: something new waits to be sealed. HOLE: what is missing must be read. OTHER_EPOCH and TOO_LARGE: it was
        not taken, and the topic cannot go on.
        """
        if self.state is not StreamState.LIVE:
            self._retain(batch)
            return Verdict.WAITS
        if batch.epoch != self.epoch:
            return Verdict.OTHER_EPOCH
        if batch.last <= self.offset:
            return Verdict.KNOWN
        if batch.first > self.offset + 1:
            self.state = StreamState.FILLING
            self._hole_since = now
            self._retain(batch)
            return Verdict.HOLE
        if len(batch.frames) > FRAME_BYTES_MAX and max(map(len, split_frames(batch.frames))) > FRAME_BYTES_MAX:
            return Verdict.TOO_LARGE
        new = after(batch, self.offset)
        self.out.put(new.frames, new.size)
        if self.past is not None:
            self.past.add(new.first, list(split_frames(new.frames)))
        return Verdict.NEXT

    def start(self, at: Position, now: float) -> None:
        """The position is known now; what came meanwhile follows. Raises ValueError where it was known already."""
        if self.state is not StreamState.LOADING:
            raise ValueError("the position of this topic is known")
        self.epoch = at.epoch
        self.out.start(at.offset)
        self._go_live(now)

    def fill(self, history: History, now: float) -> bool:
        """Takes all that was missed after `offset`; False: it is not whole, and the topic stays as it was."""
        if not history.recovered or history.epoch != self.epoch:
            return False
        frames = [event_frame(self.wire, at, body) for at, body in history.events if at > self.offset]
        if any(len(frame) > FRAME_BYTES_MAX for frame in frames):
            return False
        if frames:
            if self.past is not None:
                self.past.add(self.offset + 1, frames)
            self.out.put(b"".join(frames), len(frames))
        self._go_live(now)
        return self.state is StreamState.LIVE

    def _go_live(self, now: float) -> None:
        self.state = StreamState.LIVE
        self._hole_since = 0.0
        retained, self._retained, self._retained_bytes = self._retained, [], 0
        for batch in retained:
            if self.accept(batch, now) is Verdict.TOO_LARGE:
                self.state = StreamState.FILLING

    def _retain(self, batch: Batch) -> None:
        self._retained.append(batch)
        self._retained_bytes += len(batch.frames)
        while self._retained_bytes > TOPIC_RETAINED_BYTES_MAX:
            self._retained_bytes -= len(self._retained.pop(0).frames)

    # --- joining

    def wait(self, ask: Ask) -> None:
        """It begins to wait for an answer."""
        self.asks.wait(ask)
        if self.past is None:
            self.past = Past(self._budget)

    def forget_past(self) -> None:
        """Gives the memory back. Whoever recovers has it read again."""
        if self.past is not None:
            self.past.clear()
            if not self.asks:
                self.past = None

    def target_of(self, offset: int) -> int:
        """Up to where one who has `offset` is told: what is pending for the readers comes to it with them."""
        return self.out.sealed_offset if offset <= self.out.sealed_offset else self.offset

    def hear(self, reader: Reader, offset: int) -> None:
        """It was told everything up to `offset`, which is its target: the live stream goes on from there."""
        self.out.add(reader, hears_pending=offset == self.out.sealed_offset)

    def abandon(self) -> list[Reader]:
        """The stream cannot be kept whole: who hears it, or was told a part, leaves, and the topic begins again."""
        gone = [*self.out.clear(), *self.asks.restart()]
        self.forget_past()
        self._retained, self._retained_bytes = [], 0
        self.state = StreamState.LOADING
        self._hole_since = 0.0
        return gone


def after(batch: Batch, offset: int) -> Batch:
    """The part of a batch after `offset`, which it must reach beyond."""
    known = offset - batch.first + 1
    if known <= 0:
        return batch
    frames: Iterable[bytes] = list(split_frames(batch.frames))[known:]
    return Batch(batch.epoch, offset + 1, batch.size - known, b"".join(frames))
