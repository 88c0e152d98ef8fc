"""What several processes count, as one: merged rows, and a row that changes hands."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from config import board
from config.board import Board


class Process:
    """One with figures of its own, on a row of the same memory."""

    def __init__(self, shared: Board, row: int) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.asked = Counter("asked_total", "Asked", ["what"], registry=self.registry)
        self.took = Histogram("took_seconds", "Took", buckets=(1.0,), registry=self.registry)
        self.idle = Gauge("idle", "Idle", registry=self.registry)
        self.redis = Gauge("redis_connected", "Redis", registry=self.registry)
        self.board = Board(1, self.registry)
        self.board._memory = shared._memory
        self.board._processes = shared._processes
        self.board.adopt(row)

    def figures(self) -> dict[str, float]:
        text = self.board.exposition()[0].decode()
        return {
            name + "".join(f" {value}" for value in labels.values()): value
            for family in text_string_to_metric_families(text)
            for name, labels, value, *_ in family.samples
            if not name.endswith("_created")
        }


def test_one_tells_for_all() -> None:
    """Counters, buckets and pools are summed, Redis is there where it is for everybody. Seen failing with gauges of
    `_TOGETHER` summed, and with the own row read as it was last written."""
    shared = Board(2, CollectorRegistry())
    one, other = Process(shared, 0), Process(shared, 1)
    one.asked.labels("page").inc(2)
    one.took.observe(0.5)
    one.idle.set(3)
    one.redis.set(1)
    other.asked.labels("page").inc(5)
    other.asked.labels("profile").inc()
    other.took.observe(7)
    other.idle.set(4)
    other.board.write()
    one.idle.set(1)
    assert one.figures() == {
        "asked_total page": 7,
        "asked_total profile": 1,
        "took_seconds_bucket 1.0": 1,
        "took_seconds_bucket +Inf": 2,
        "took_seconds_count": 2,
        "took_seconds_sum": 7.5,
        "idle": 5,
        "redis_connected": 0,
    }


def test_what_was_counted_goes_on_in_the_successor() -> None:
    """Twice, and what the other tells does not change. Seen failing without `adopt`."""
    shared = Board(2, CollectorRegistry())
    asked = Process(shared, 1)
    for before in range(3):
        one = Process(shared, 0)
        one.asked.labels("page").inc()
        one.idle.set(9)
        one.board.write()
        assert asked.figures()["asked_total page"] == before + 1
    assert asked.figures()["idle"] == 9


def test_whoever_has_not_written_for_long_has_no_gauges(monkeypatch: object) -> None:
    """Seen failing without STALE_S."""
    shared = Board(2, CollectorRegistry())
    one, other = Process(shared, 0), Process(shared, 1)
    one.idle.set(9)
    one.asked.labels("page").inc()
    one.board.write()
    board_stale, board.STALE_S = board.STALE_S, -1.0  # type: ignore[misc]
    try:
        figures = other.figures()
    finally:
        board.STALE_S = board_stale  # type: ignore[misc]
    assert (figures["idle"], figures["asked_total page"]) == (0, 1)


def test_a_fork_sees_what_the_other_writes() -> None:
    """The memory is shared, whoever writes. Seen failing with a private mapping."""
    shared = Board(2, CollectorRegistry())
    pid = os.fork()
    if pid == 0:
        child = Process(shared, 1)
        child.asked.labels("page").inc(4)
        child.board.write()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert Process(shared, 0).figures()["asked_total page"] == 4
