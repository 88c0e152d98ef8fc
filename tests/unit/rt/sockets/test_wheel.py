"""The timing wheel against a plain list of deadlines."""

from hypothesis import given
from hypothesis import strategies as st

from rt.sockets.wheel import NOWHERE, SLOTS, TICK_S, Wheel

HORIZON_S = SLOTS * TICK_S


@given(
    st.lists(st.floats(0, HORIZON_S - 2 * TICK_S), max_size=30),
    st.lists(st.floats(0.01, 40), min_size=1, max_size=30),
)
def test_everything_fires_once_at_most_a_tick_late(delays: list[float], steps: list[float]) -> None:
    """Failed when `advance` began one slot too far: what was due at once waited for a whole turn of the wheel."""
    start = 1000.3
    wheel: Wheel[int] = Wheel(start)
    due = {number: start + delay for number, delay in enumerate(delays)}
    for number, at in due.items():
        wheel.put(number, at)
    now = start
    for step in steps:
        now += step
        for number in wheel.advance(now):
            assert due.pop(number) <= now
        assert all(at > now - TICK_S for at in due.values())


def test_beyond_the_horizon_fires_early() -> None:
    wheel: Wheel[str] = Wheel(0.0)
    wheel.put("far", 10 * HORIZON_S)
    assert wheel.advance(HORIZON_S - 2 * TICK_S) == []
    assert wheel.advance(HORIZON_S + TICK_S) == ["far"]


def test_the_past_fires_next() -> None:
    wheel: Wheel[str] = Wheel(100.0)
    wheel.put("late", 3.0)
    assert wheel.advance(100.0 + TICK_S) == ["late"]


def test_a_long_pause_fires_everything_once() -> None:
    wheel: Wheel[int] = Wheel(0.0)
    for number in range(500):
        wheel.put(number, number / 5)
    assert sorted(wheel.advance(1e6)) == list(range(500))
    assert len(wheel) == 0


def test_dropped_items_do_not_fire() -> None:
    wheel: Wheel[str] = Wheel(0.0)
    slot = wheel.put("a", 1.0)
    wheel.drop("a", slot)
    wheel.drop("a", NOWHERE)
    assert wheel.advance(5.0) == []
