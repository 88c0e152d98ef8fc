"""Writes what topics have pending: one write per socket and flush, FLUSH_WRITES_PER_TURN sockets in a turn of the loop.

A topic that is quicker than its flushes is written once per window, all its events in one write. The window follows
what the process has to spare: none while there is time for every flush, and as long as it takes where there is not, so
that flushes leave 1 - FLUSH_SHARE of the time to everything else.
"""

import asyncio
from time import monotonic, thread_time
from typing import Final

from config.limits import FLUSH_WRITES_PER_TURN
from rt.channels.asks import Reader
from rt.channels.outbox import Outbox, Sealed
from rt.channels.traced import Traced
from rt.metrics import Counters

__all__ = ["Flusher", "Spare"]

FLUSH_SHARE: Final = 0.9  # of the time for flushes and all else together, where flushes can wait (rt/channels/flush.py)
FLUSH_WINDOW_S_MAX: Final = 0.250  # they wait for no longer
FLUSH_RETRY_S: Final = 0.002  # a channel whose rate is over is looked at again

_MEMORY_S: Final = 1.0  # of how busy the process is with other things
_SHARE_MIN: Final = 0.05  # of the time is for flushes, however busy the process is


class Spare:
    """What share of its time a process spends on all but flushes, and the window that follows from it. Pure.

    A flush of T in every window, and the rest, take T / window + other of the time; that is FLUSH_SHARE where
    window = T / (FLUSH_SHARE - other).
    """

    __slots__ = ("_busy_s", "_passed_s")

    def __init__(self) -> None:
        self._busy_s = 0.0
        self._passed_s = 0.0

    @property
    def other(self) -> float:
        """From 0, idle but for flushes, to 1."""
        return min(1.0, self._busy_s / self._passed_s) if self._passed_s else 0.0

    def saw(self, passed_s: float, busy_s: float) -> None:
        """So much time passed, in which the process worked for `busy_s` on other things than flushes."""
        kept = 1.0 / (1.0 + passed_s / _MEMORY_S)
        self._passed_s = self._passed_s * kept + passed_s
        self._busy_s = self._busy_s * kept + busy_s

    def window_s(self, flush_s: float) -> float:
        """From the beginning of a flush that took so long by itself to the earliest next one."""
        return min(flush_s / max(_SHARE_MIN, FLUSH_SHARE - self.other), FLUSH_WINDOW_S_MAX)


class _Job:
    """An outbox that is being written.

    `at`: how many sockets have the first of what is sealed. `began`: when, and `flushed_s` what all flushes of the
    process had taken by then: where several are written in turn, each waits for the others as well.
    """

    __slots__ = ("at", "began", "flushed_s")

    def __init__(self, began: float, flushed_s: float) -> None:
        self.at = 0
        self.began = began
        self.flushed_s = flushed_s


class Flusher:
    """See the module. One per process. An outbox rests, is dirty, is late (it rests or its rate does), or is a job."""

    def __init__(self, counters: Counters, loop: asyncio.AbstractEventLoop) -> None:
        self.traced = Traced()
        self._counters = counters
        self._loop = loop
        self._spare = Spare()
        self._dirty: dict[Outbox, None] = {}
        self._late: dict[Outbox, asyncio.TimerHandle] = {}
        self._jobs: dict[Outbox, _Job] = {}
        self._scheduled = False
        self._flushed_s = 0.0  # what flushes have taken
        self._turn_began = monotonic()
        self._seen_at = self._turn_began  # until then it is known what this thread did ...
        self._seen_s = thread_time()  # ... when it had worked for so long

    def is_writing(self) -> bool:
        """Whether events wait for their sockets."""
        return bool(self._jobs)

    def work(self, outbox: Outbox) -> None:
        """Something of this outbox is to be written: now, or when its window is over."""
        if outbox in self._late or outbox in self._jobs:
            return  # it is looked at then
        wait_s = outbox.rests_until - monotonic()
        if wait_s > 0:
            self._put_off(outbox, wait_s)
        else:
            self._dirty[outbox] = None
            self._schedule()

    def forget(self, outbox: Outbox) -> None:
        """Nothing of it is to be written any more."""
        self._dirty.pop(outbox, None)
        self._jobs.pop(outbox, None)
        late = self._late.pop(outbox, None)
        if late is not None:
            late.cancel()
        if self.traced.under_way:
            self.traced.forget(outbox)

    # --- when

    def _schedule(self) -> None:
        if not self._scheduled:  # never a second flush in a turn: each one would go on for itself
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _put_off(self, outbox: Outbox, wait_s: float) -> None:
        self._late[outbox] = self._loop.call_later(wait_s, self._is_due, outbox)

    def _is_due(self, outbox: Outbox) -> None:
        del self._late[outbox]
        self._dirty[outbox] = None
        self._schedule()

    def _flush(self) -> None:
        self._scheduled = False
        now, worked_s = monotonic(), thread_time()
        self._spare.saw(now - self._seen_at, worked_s - self._seen_s)
        self._turn_began = now
        dirty, self._dirty = self._dirty, {}
        for outbox in dirty:
            self._seal(outbox, now)
        budget = FLUSH_WRITES_PER_TURN
        for outbox, job in list(self._jobs.items()):
            budget -= self._write(outbox, job, budget)
            if budget <= 0:
                break
        if self._jobs:
            self._schedule()
        ended, self._seen_s = monotonic(), thread_time()
        self._flushed_s += ended - now
        self._spare.saw(ended - now, 0.0)
        self._seen_at = ended

    def _seal(self, outbox: Outbox, now: float) -> None:
        """What is pending becomes a job, unless the rate of the channel is over."""
        if outbox.has_pending:
            if outbox.may_seal(now):
                outbox.seal()
            else:
                self._put_off(outbox, FLUSH_RETRY_S)
        if outbox.sealed and outbox not in self._jobs:
            self._jobs[outbox] = _Job(now, self._flushed_s)

    def _end(self, outbox: Outbox, job: _Job) -> None:
        """All that was sealed is written."""
        if self._jobs.pop(outbox, None) is None:
            return  # forgotten meanwhile
        flushed_s = self._flushed_s + monotonic() - self._turn_began
        outbox.rest(job.began + self._spare.window_s(flushed_s - job.flushed_s))
        if outbox.has_pending:
            self.work(outbox)

    # --- what

    def _write(self, outbox: Outbox, job: _Job, budget: int) -> int:
        """Writes up to `budget` sockets of the outbox's sealed frames; returns how many."""
        written = 0
        while outbox.sealed and written < budget:
            sealed, at = outbox.sealed[0], job.at
            readers = (
                sealed.readers[at : at + budget - written] if at or len(sealed.readers) > budget else sealed.readers
            )
            if outbox.version == sealed.version:
                data = sealed.data
                for reader in readers:
                    reader.send(data)
                self._counters.deliveries += sealed.size * len(readers)
            else:
                self._write_carefully(outbox, sealed, readers)
            written += len(readers)
            job.at = at + len(readers)
            if job.at >= len(sealed.readers):
                outbox.written()
                job.at = 0
                if self.traced.under_way:
                    self.traced.written(outbox, sealed.last, len(sealed.readers))
        if not outbox.sealed:
            self._end(outbox, job)
        elif outbox in self._jobs:
            self._jobs[outbox] = self._jobs.pop(outbox)  # behind the others
        return written

    def _write_carefully(self, outbox: Outbox, sealed: Sealed, readers: tuple[Reader, ...]) -> None:
        """Somebody left since this was sealed: whoever left gets nothing, whoever came back was told already."""
        for reader in readers:
            joined = outbox.readers.get(reader)
            if joined is not None and joined < sealed.last:
                reader.send(sealed.data)
                self._counters.deliveries += sealed.size
