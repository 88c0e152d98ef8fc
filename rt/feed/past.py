"""What of one channel's history is in memory, as ready frames that all share who are being told it. Pure.

Runs of consecutive events: those that Redis was read for, and those that were heard meanwhile. What is given up, least
recently used first, is read again by whoever needs it: nothing is lost by it but time.
"""

from collections.abc import Sequence
from itertools import accumulate

from config.limits import PAST_BYTES_MAX

__all__ = ["Budget", "Past"]


class Budget:
    """Bytes that the pasts of a process hold together."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0


class _Run:
    """Consecutive event frames from the offset `first` on."""

    __slots__ = ("first", "frames", "size")

    def __init__(self, first: int) -> None:
        self.first = first
        self.frames: list[bytes] = []
        self.size = 0  # bytes

    @property
    def next(self) -> int:
        return self.first + len(self.frames)


class Past:
    """See the module. Counts itself in `budget`; `bytes_max` bounds it alone."""

    __slots__ = ("_budget", "_bytes_max", "_runs", "size")

    def __init__(self, budget: Budget, bytes_max: int = PAST_BYTES_MAX) -> None:
        self.size = 0
        self._budget = budget
        self._bytes_max = bytes_max
        self._runs: list[_Run] = []  # least recently used first

    def add(self, first: int, frames: Sequence[bytes]) -> None:
        """Consecutive events from the offset `first` on; those that are here already are not kept twice."""
        run = next((run for run in self._runs if run.first <= first <= run.next), None)
        if run is None:
            run = _Run(first)
            self._runs.append(run)
        new = frames[run.next - first :]
        run.frames += new
        self._count(run, sum(map(len, new)))
        self._use(run)
        while self.size > self._bytes_max:
            self._shrink()

    def part(self, after: int, bytes_max: int) -> list[bytes] | None:
        """The frames that follow the offset `after`, as many as fit into `bytes_max`; None: they are not here."""
        run = next((run for run in self._runs if run.first <= after + 1 < run.next), None)
        if run is None:
            return None
        self._use(run)
        at = after + 1 - run.first
        fit = 0
        for size in accumulate(len(frame) for frame in run.frames[at : at + _PART_EVENTS_MAX]):
            if size > bytes_max:
                break
            fit += 1
        return run.frames[at : at + fit]

    def has(self, offset: int) -> bool:
        """Whether this event is here."""
        return any(run.first <= offset < run.next for run in self._runs)

    def clear(self) -> None:
        """Gives up everything."""
        self._runs.clear()
        self._budget.used -= self.size
        self.size = 0

    def _use(self, run: _Run) -> None:
        if self._runs[-1] is not run:
            self._runs.remove(run)
            self._runs.append(run)

    def _shrink(self) -> None:
        """The run that was used least recently goes; of a single one its older half."""
        run = self._runs[0]
        if len(self._runs) > 1:
            del self._runs[0]
            self._count(run, -run.size)
        else:
            half = (len(run.frames) + 1) // 2
            self._count(run, -sum(map(len, run.frames[:half])))
            del run.frames[:half]
            run.first += half

    def _count(self, run: _Run, change: int) -> None:
        run.size += change
        self.size += change
        self._budget.used += change


_PART_EVENTS_MAX = 4_096  # frames of 64 bytes would fill a part of 256 KiB with so many
