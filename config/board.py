"""What several processes of one role count, told by whichever is asked for all of them.

Each has a row in memory that was shared before the fork, and writes there what it has counted, whole, into the half of
the row that nobody reads. What a process that is gone has counted goes on in its successor.
"""

import asyncio
import mmap
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

log = structlog.get_logger()

WRITE_S: Final = 1.0
STALE_S: Final = 5.0  # a process that has not written for so long has no gauges
HALF_BYTES: Final = 1024 * 1024  # pages that were never written to take no memory

# How one gauge comes of several; the rest are sums, as counters and the parts of histograms are.
_TOGETHER: Final[dict[str, Callable[[Iterable[float]], float]]] = {
    "redis_connected": min,
    "redis_writes_refused": max,
    "redis_memory_used_bytes": max,
    "redis_memory_max_bytes": max,
    "process_start_time_seconds": min,
    "process_max_fds": min,
    "python_info": max,
}
_CREATED: Final = "_created"
_COUNTS: Final = frozenset({"counter", "histogram"})
_WORD: Final = struct.Struct("q")

Labels = tuple[tuple[str, str], ...]


class Family(msgspec.Struct, array_like=True):
    """One metric: `samples` by name and labels."""

    name: str
    help: str
    kind: str
    samples: dict[str, list[tuple[Labels, float]]]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Family]).decode


def together(told: Sequence[Sequence[Family]]) -> list[Family]:
    """The metrics of all of these as one process would have them. Pure."""
    families: dict[str, tuple[Family, dict[str, dict[Labels, list[float]]]]] = {}
    for one in told:
        for family in one:
            _, found = families.setdefault(family.name, (family, {}))
            for name, samples in family.samples.items():
                by_labels = found.setdefault(name, {})
                for labels, value in samples:
                    by_labels.setdefault(labels, []).append(value)
    return [
        Family(
            family.name,
            family.help,
            family.kind,
            {name: [(labels, _one(name, of)) for labels, of in samples.items()] for name, samples in found.items()},
        )
        for family, found in families.values()
    ]


def _one(name: str, values: Iterable[float]) -> float:
    return (min if name.endswith(_CREATED) else _TOGETHER.get(name, sum))(values)


def counted(families: Iterable[Family]) -> list[Family]:
    """Those that only rise: they go on where a process is replaced. Pure."""
    return [family for family in families if family.kind in _COUNTS]


class Board:
    """A row for each process. Made before the fork; a child `adopt`s its row before it counts."""

    def __init__(self, processes: int, registry: CollectorRegistry = REGISTRY) -> None:
        self._processes = processes
        self._registry = registry
        self._memory = mmap.mmap(-1, self._start(processes))
        self._row = 0
        self._before: list[Family] = []  # what those before it had counted

    def adopt(self, row: int) -> None:
        """This process has this row from here on."""
        self._row = row
        self._before = counted(self._read(row)[1])

    async def keep(self) -> None:
        """Writes every WRITE_S for as long as the process lives."""
        while True:
            self.write()
            await asyncio.sleep(WRITE_S)

    def write(self) -> None:
        """Tells the others what this process has counted."""
        told = _encode(self._own())
        if len(told) > HALF_BYTES - _WORD.size:
            log.error("figures_have_no_room", bytes=len(told))
            return
        start = self._start(self._row)
        half = 1 - (_WORD.unpack_from(self._memory, start)[0] & 1)
        at = start + _WORD.size + half * HALF_BYTES
        _WORD.pack_into(self._memory, at, len(told))
        self._memory[at + _WORD.size : at + _WORD.size + len(told)] = told
        # One word says which half is read, and since when: nobody sees a part of it.
        _WORD.pack_into(self._memory, start, int(time.monotonic() * 1000) << 1 | half)

    def exposition(self) -> tuple[bytes, str]:
        """The body and content type of /metrics."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Told(together(self._told())))
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def _told(self) -> list[list[Family]]:
        oldest = time.monotonic() - STALE_S
        told = [self._own()]
        for row in range(self._processes):
            if row != self._row:
                at, families = self._read(row)
                told.append(families if at > oldest else counted(families))
        return told

    def _own(self) -> list[Family]:
        now = []
        for metric in self._registry.collect():
            samples: dict[str, list[tuple[Labels, float]]] = {}
            for sample in metric.samples:
                samples.setdefault(sample.name, []).append((tuple(sample.labels.items()), sample.value))
            now.append(Family(metric.name, metric.documentation, metric.type, samples))
        return together([now, self._before]) if self._before else now

    def _read(self, row: int) -> tuple[float, list[Family]]:
        """When it was written (monotonic s), and what."""
        start = self._start(row)
        word = _WORD.unpack_from(self._memory, start)[0]
        if word == 0:
            return 0.0, []
        at = start + _WORD.size + (word & 1) * HALF_BYTES
        size = _WORD.unpack_from(self._memory, at)[0]
        return (word >> 1) / 1000, _decode(self._memory[at + _WORD.size : at + _WORD.size + size])

    @staticmethod
    def _start(row: int) -> int:
        return row * (_WORD.size + 2 * HALF_BYTES)


class _Told(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """All of it."""
        for family in self._families:
            metric = Metric(family.name, family.help, family.kind)
            for name, samples in family.samples.items():
                for labels, value in samples:
                    metric.add_sample(name, dict(labels), value)
            yield metric
