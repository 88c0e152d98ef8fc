"""What a gateway process counts: plain integers on the hot path, read at the scrape, of all processes together.

Each child of the supervisor owns one slot of a shared anonymous mapping and copies its figures there; whichever child
is asked for /metrics or /ready answers for all.
"""

import mmap
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from config.redis import REASONS

# name -> help. Names that end in _total are counters and are kept when a child is replaced; the rest are gauges.
FIGURES: Final = {
    "rt_connections": "Open sockets",
    "rt_identified": "Open sockets past the welcome",
    "rt_users": "Distinct signed-in users in a process, summed",
    "rt_channels": "Channels with local readers",
    "rt_joins_waiting": "Subscriptions that wait for history, or are being told it",
    "rt_admission_waiting": "Handshakes and connects that wait for their turn",
    "rt_slow": "Sockets that do not read as fast as they are written to",
    "rt_degraded": "Processes without Redis",
    "rt_loop_gap_max_ms": "How late the loop was at most for what was due, last minute",
    "redis_connected": "1 while Redis answers every process",
    "process_resident_memory_bytes": "Memory of the processes with sockets; what they share counts for each",
    "redis_writes_refused": "Processes whose Redis answers and takes no writes: full, read-only",
    "rt_accepted_total": "Sockets accepted",
    "rt_upgraded_total": "WebSocket handshakes",
    "rt_streamed_total": "Streams of server-sent events begun",
    "rt_refused_total": "Handshakes and streams refused for want of a place",
    "rt_shed_total": "Connections without a session ended to make room",
    "rt_welcomes_total": "Clients identified",
    "rt_resumed_total": "Clients identified by a resume ticket",
    "rt_messages_total": "Messages received",
    "rt_heartbeats_total": "Heartbeats received",
    "rt_errors_total": "Messages answered with error",
    "rt_rate_limited_total": "Messages over the rate of a connection",
    "rt_subscribes_total": "Subscriptions answered",
    "rt_recovered_total": "Subscriptions whose missed events were whole",
    "rt_unrecovered_total": "Subscriptions told to page from their own cursor",
    "rt_unavailable_total": "Subscriptions answered UNAVAILABLE",
    "rt_batches_total": "Batches heard on the bus",
    "rt_bus_garbage_total": "Messages on the bus that are no batch",
    "rt_deliveries_total": "Events written to sockets",
    "rt_holes_total": "Holes seen in a live stream",
    "rt_gaps_total": "Streams given up as not whole",
    "rt_canaries_lost_total": "Subscriptions to Redis replaced because they were deaf",
    "rt_closed_slow_total": "Sockets closed with 4002",
    "rt_closed_silent_total": "Sockets closed with 4004",
    "rt_closed_limit_total": "Sockets closed with 4008 or 4505",
    "rt_closed_revoked_total": "Sockets closed with 4503",
    "rt_closed_unconnected_total": "Sockets closed with 4006: no connect in time",
    "rt_closed_bug_total": "Sockets closed with 1011",
    "rt_failures_total": "Errors of Redis in background work",
    "rt_presence_written_total": "Members of presence written",
    "rt_presence_touched_total": "Members of presence touched",
    "rt_presence_missing_total": "Members that Redis had lost",
    "rt_presence_false_offline_total": "Members that were taken from Redis while their socket was open",
}
# How the figures of several processes become one; the rest are summed.
_TOGETHER: Final[dict[str, Callable[[Iterable[int]], int]]] = {"rt_loop_gap_max_ms": max, "redis_connected": min}
_HEAD: Final = 3  # time of the last report (ms, steady clock), state, pid
STALE_S: Final = 3.0


class Counters:
    """The counters of one process. Incremented by whoever meets the event."""

    __slots__ = tuple(name.removeprefix("rt_").removesuffix("_total") for name in FIGURES if name.endswith("_total"))

    accepted: int
    upgraded: int
    streamed: int
    refused: int
    shed: int
    welcomes: int
    resumed: int
    messages: int
    heartbeats: int
    errors: int
    rate_limited: int
    subscribes: int
    recovered: int
    unrecovered: int
    unavailable: int
    batches: int
    bus_garbage: int
    deliveries: int
    holes: int
    gaps: int
    canaries_lost: int
    closed_slow: int
    closed_silent: int
    closed_limit: int
    closed_revoked: int
    closed_unconnected: int
    closed_bug: int
    failures: int
    presence_written: int
    presence_touched: int
    presence_missing: int
    presence_false_offline: int

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    def figures(self) -> dict[str, int]:
        """By their exported names."""
        return {f"rt_{name}_total": getattr(self, name) for name in self.__slots__}


class Condition(NamedTuple):
    """What one process says about itself."""

    starting: bool
    draining: bool
    redis_away: bool
    deaf: bool
    redis: str = ""  # what it says where it answers and cannot serve: one of config.redis.REASONS

    def pack(self) -> int:
        word = REASONS.index(self.redis) + 1 if self.redis else 0
        return sum(flag << n for n, flag in enumerate(self._flags())) | word << len(self._flags())

    @classmethod
    def unpack(cls, bits: int) -> "Condition":
        starting, draining, away, deaf = (bool(bits >> n & 1) for n in range(4))
        word = bits >> 4
        return cls(starting, draining, away, deaf, REASONS[word - 1] if word else "")

    def reasons(self) -> dict[str, str]:
        """What is against it, by name."""
        reasons = {"bus": "deaf"} if self.deaf else {}
        if self.redis_away or self.redis:
            reasons["redis"] = self.redis or "does not answer"
        if self.starting or self.draining:
            reasons["process"] = "starting" if self.starting else "stopping"
        return reasons

    def _flags(self) -> tuple[bool, bool, bool, bool]:
        return self.starting, self.draining, self.redis_away, self.deaf


class Board:
    """The shared mapping: a row of 64-bit integers per process. Made before the fork."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._width = (_HEAD + len(FIGURES)) * 8
        self._memory = mmap.mmap(-1, self._width * processes)
        self._kept = [dict.fromkeys(FIGURES, 0) for _ in range(processes)]

    def adopt(self, row: int) -> None:
        """Called by a new child before it counts: the counters of the child that it replaces go on."""
        old = self._read(row)[_HEAD:]
        self._kept[row] = {
            name: value if name.endswith("_total") else 0 for name, value in zip(FIGURES, old, strict=True)
        }

    def write(self, row: int, condition: Condition, figures: dict[str, int], pid: int) -> None:
        """Reports the figures of one process; names that are not given stay 0."""
        kept = self._kept[row]
        values = [kept[name] + figures.get(name, 0) for name in FIGURES]
        head = (int(time.monotonic() * 1000), condition.pack(), pid)
        struct.pack_into(f"{_HEAD + len(FIGURES)}q", self._memory, row * self._width, *head, *values)

    def conditions(self) -> list[Condition | None]:
        """By row; None: that process has not reported for STALE_S, or never."""
        oldest = int((time.monotonic() - STALE_S) * 1000)
        rows = [self._read(row) for row in range(self.processes)]
        return [Condition.unpack(state) if at > oldest else None for at, state, *_ in rows]

    def totals(self) -> dict[str, int]:
        """Figures of all processes; gauges of those that report no more are left out."""
        told: dict[str, list[int]] = {name: [] for name in FIGURES}
        for row, condition in enumerate(self.conditions()):
            for name, value in zip(FIGURES, self._read(row)[_HEAD:], strict=True):
                if condition is not None or name.endswith("_total"):
                    told[name].append(value)
        return {name: _TOGETHER.get(name, sum)(values) if values else 0 for name, values in told.items()}

    def _read(self, row: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{_HEAD + len(FIGURES)}q", self._memory, row * self._width)


def resident_bytes() -> int:
    """Memory of this process that is not swapped out."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * mmap.PAGESIZE


class _BoardCollector(Collector):
    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        """All figures."""
        totals = self._board.totals()
        for name, text in FIGURES.items():
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(name, text, value=totals[name])


def exposition(board: Board) -> bytes:
    """The body of /metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_BoardCollector(board))
    return generate_latest(registry)
