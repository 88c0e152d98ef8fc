"""What of one channel's history is in memory, as ready frames that all share who are being told it. Pure.

Runs of consecutive events: those that Redis was read for, and those that were heard meanwhile. What is given up, least
recently used first, is read again by whoever needs it: nothing is lost by it but time.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

__all__ = ["Budget", "Past"]

PAST_BYTES_MAX: Final = 16 * 1024 * 1024  # of one channel's history in memory, while somebody is told it


class Budget:
    """Bytes that the pasts of a process hold together."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0


class _Run:
    """Consecutive event frames from the offset `first` on. `ends`: bytes up to the end of each, `gone` included."""

    __slots__ = ("ends", "first", "frames", "gone")

    def __init__(self, first: int) -> None:
        self.first = first
        self.frames: list[bytes] = []
        self.ends: list[int] = []
        self.gone = 0  # bytes that were given up

    @property
    def next(self) -> int:
        return self.first + len(self.frames)

    @property
    def size(self) -> int:
        return self.ends[-1] - self.gone if self.ends else 0

    def add(self, frames: Sequence[bytes]) -> None:
        end = self.ends[-1] if self.ends else self.gone
        for frame in frames:
            end += len(frame)
            self.ends.append(end)
        self.frames += frames

    def drop(self, count: int) -> None:
        """Gives up the oldest."""
        self.gone = self.ends[count - 1]
        del self.frames[:count], self.ends[:count]
        self.first += count


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
        before = run.size
        run.add(frames[run.next - first :])
        self._count(run.size - before)
        self._use(run)
        while self.size > self._bytes_max:
            self._shrink()

    def part(self, after: int, bytes_max: int) -> list[bytes] | None:
        """The frames that follow the offset `after`, as many as fit into `bytes_max`; None: they are not here."""
        runs = [run for run in self._runs if run.first <= after + 1 < run.next]  # two overlap where one was read anew
        run = max(runs, key=lambda run: run.next, default=None)
        if run is None:
            return None
        self._use(run)
        at = after + 1 - run.first
        begin = run.ends[at - 1] if at else run.gone
        return run.frames[at : bisect_right(run.ends, begin + bytes_max, at)]

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
        before = run.size
        if len(self._runs) > 1:
            del self._runs[0]
            self._count(-before)
        else:
            run.drop((len(run.frames) + 1) // 2)
            self._count(run.size - before)

    def _count(self, change: int) -> None:
        self.size += change
        self._budget.used += change
