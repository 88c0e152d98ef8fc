"""Figures of several processes as one."""

import os
from pathlib import Path

from rt.metrics import Board, Condition, resident_bytes

FINE = Condition(starting=False, draining=False, redis_away=False, deaf=False)


def test_one_process_without_redis_is_enough() -> None:
    """Seen failing with a sum over processes, which an alert on 0 never meets: 1."""
    board = Board(2)
    board.write(0, FINE, {"redis_connected": 1, "rt_degraded": 0}, 1)
    board.write(1, FINE, {"redis_connected": 0, "rt_degraded": 1}, 2)
    totals = board.totals()
    assert (totals["redis_connected"], totals["rt_degraded"]) == (0, 1)


def test_gaps_are_not_added_up_and_counters_are() -> None:
    board = Board(2)
    for row, gap in enumerate((30, 70)):
        board.write(row, FINE, {"rt_loop_gap_max_ms": gap, "rt_gaps_total": gap, "redis_connected": 1}, row + 1)
    totals = board.totals()
    assert (totals["rt_loop_gap_max_ms"], totals["rt_gaps_total"], totals["redis_connected"]) == (70, 100, 1)


def test_nobody_has_reported_yet() -> None:
    totals = Board(2).totals()
    assert set(totals.values()) == {0}


def test_resident_memory_is_that_of_the_kernel() -> None:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    told = next(int(line.split()[1]) * 1_024 for line in lines if line.startswith("VmRSS:"))
    before = resident_bytes()
    held = os.urandom(64 * 1024 * 1024)
    assert abs(before - told) < 16 * 1024 * 1024
    assert resident_bytes() - before > len(held) * 0.9
