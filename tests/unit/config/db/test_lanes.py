"""Lanes: one at a time by key, bounded, and nothing left behind."""

import asyncio

import pytest

from config.db import lanes as module
from config.db.lanes import Lanes
from config.errors import RetryLater


async def test_one_at_a_time_by_key_and_first_come_first_served() -> None:
    """Defect seen failing: one lock for all keys (the second key never gets in)."""
    lanes = Lanes()
    order: list[str] = []
    release, other_came = asyncio.Event(), asyncio.Event()

    async def user(key: str, name: str) -> None:
        async with lanes.hold(key):
            order.append(name)
            if name == "other":
                other_came.set()
            if name == "first":
                await release.wait()

    async with asyncio.TaskGroup() as group:
        for key, name in (("a", "first"), ("a", "second"), ("a", "third"), ("b", "other")):
            group.create_task(user(key, name))
        async with asyncio.timeout(20):
            await other_came.wait()
        assert order == ["first", "other"]
        release.set()
    assert order == ["first", "other", "second", "third"]
    assert len(lanes) == 0


async def test_a_line_that_does_not_move_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LANE_WAIT_S", 0.01)
    lanes = Lanes()
    async with lanes.hold("a"):
        with pytest.raises(RetryLater):
            async with lanes.hold("a"):
                pass
    async with lanes.hold("a"):
        pass
    assert len(lanes) == 0
