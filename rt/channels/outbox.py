"""What one channel has for those who hear it: events that are pending, and frames that are sealed for whom. Pure.

Pending events are sealed for the readers of one moment, so that nobody gets what is not theirs: who joins while some
are pending either hears them, or has been told them already and makes them sealed first.
"""

from collections import deque
from typing import Final, NamedTuple

from rt.channels.asks import Reader
from rt.channels.digest import Rate, digest
from rt.wire.frames import split_frames

__all__ = ["Outbox", "Sealed"]

DIGESTS_KNOWN: Final = 256  # of a channel, for operators


class Sealed(NamedTuple):
    """Frames for the readers of one moment; `last` is the newest offset in them, `size` how many events."""

    data: bytes
    last: int
    size: int
    readers: tuple[Reader, ...]
    version: int


class Outbox:
    """See the module. `offset`: the newest that was put here. `sealed`: what is not written yet, oldest first."""

    __slots__ = (
        "_digests",
        "_pending",
        "_pending_size",
        "_snapshot",
        "_wire",
        "offset",
        "rate",
        "readers",
        "rests_until",
        "sealed",
        "version",
    )

    rate: Rate | None

    def __init__(self, wire: str, frames_per_s: float = 0.0) -> None:
        self._wire = wire
        self.pace(frames_per_s)
        self.offset = 0
        self.readers: dict[Reader, int] = {}  # reader -> offset at which it joined
        self.version = 0  # grows when a reader leaves: what was sealed before must look again
        self.sealed: list[Sealed] = []
        self.rests_until = 0.0  # steady clock
        self._digests: deque[tuple[int, int]] | None = None  # first and last offset of the newest; most have none
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._snapshot: tuple[Reader, ...] | None = ()

    def pace(self, frames_per_s: float) -> None:
        """Another rate from now on; 0 = no bound."""
        self.rate = Rate(frames_per_s) if frames_per_s else None

    @property
    def sealed_offset(self) -> int:
        """The newest offset that is not pending: a reader may join behind it without a seal."""
        return self.offset - self._pending_size

    @property
    def written_offset(self) -> int:
        """The newest offset that every reader's socket has been given."""
        return self.sealed[0].last - self.sealed[0].size if self.sealed else self.sealed_offset

    def digested(self, offset: int) -> bool:
        """Whether a digest told of this event, among the newest DIGESTS_KNOWN."""
        return any(first <= offset <= last for first, last in self._digests or ())

    @property
    def has_pending(self) -> bool:
        """Whether there is something to seal."""
        return bool(self._pending)

    def start(self, offset: int) -> None:
        """Everything up to there is past."""
        self.offset = offset

    def put(self, frames: bytes, size: int) -> None:
        """So many events, the next ones, as one block of frames."""
        self._pending.append(frames)
        self._pending_size += size
        self.offset += size

    def add(self, reader: Reader, *, hears_pending: bool = False) -> None:
        """The reader has been told everything up to `offset`, or only up to `sealed_offset`."""
        if not hears_pending:
            self.seal()
        self.readers[reader] = self.sealed_offset
        self._snapshot = None

    def remove(self, reader: Reader) -> None:
        """Nothing more for this reader, if it was one."""
        if self.readers.pop(reader, None) is not None:
            self._snapshot = None
            self.version += 1

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
                self.sealed.append(Sealed(data, self.offset, size, self._snapshot, self.version))

    def written(self) -> None:
        """The oldest of what is sealed is written. Raises IndexError where there is none."""
        del self.sealed[0]

    def rest(self, until: float) -> None:
        """Before then (steady clock) nothing more is sealed for the sake of time."""
        self.rests_until = until

    def clear(self) -> list[Reader]:
        """Nobody hears it any more, and nothing of it is written; who did."""
        gone = list(self.readers)
        self.readers.clear()
        self._snapshot = ()
        self.version += 1
        self._pending, self._pending_size = [], 0
        self.sealed.clear()  # offsets of another epoch say nothing to those who join again
        return gone

    def _bounded(self, data: bytes, rate: Rate) -> bytes:
        """What is over the rate as one digest."""
        alone = rate.spend(self._pending_size)
        if alone >= self._pending_size:
            return data
        frames = list(split_frames(data))
        first = self.sealed_offset + 1 + alone
        if self._digests is None:
            self._digests = deque(maxlen=DIGESTS_KNOWN)
        self._digests.append((first, self.offset))
        return b"".join((*frames[:alone], digest(self._wire, first, frames[alone:])))
