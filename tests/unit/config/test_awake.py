"""The clock that stops while its process does not run."""

import pytest

from config.awake import AwakeClock
from config.limits import PAUSE_S

TICK_S = 0.25


class Steady:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def steady() -> Steady:
    return Steady()


def test_while_ticks_come_in_time_it_is_the_steady_clock(steady: Steady) -> None:
    """A loop that is late by less than PAUSE_S runs: its deadlines are kept."""
    awake = AwakeClock(TICK_S, steady)
    for step in (TICK_S, TICK_S + PAUSE_S - 0.01, TICK_S):
        steady.at += step
        assert awake.now() == pytest.approx(steady.at)
        assert not awake.tick()
        assert awake.now() == pytest.approx(steady.at)


def test_a_pause_counts_as_one_late_tick(steady: Steady) -> None:
    """Also before the tick that notices it: what is read first after a pause is not from the future then. Seen failing
    with a `now` that knew no bound between two ticks."""
    awake = AwakeClock(TICK_S, steady)
    before = awake.now()
    steady.at += 3_600
    woken = awake.now()
    assert woken == pytest.approx(before + TICK_S + PAUSE_S)
    assert awake.tick()
    assert awake.now() == pytest.approx(woken)
    steady.at += TICK_S
    assert not awake.tick()
    assert awake.now() == pytest.approx(woken + TICK_S)


def test_it_goes_on_where_every_tick_is_late(steady: Steady) -> None:
    """A process that is always behind still gets rid of whoever is gone, only later."""
    awake = AwakeClock(TICK_S, steady)
    before = awake.now()
    for _ in range(10):
        steady.at += 5
        assert awake.tick()
    assert awake.now() == pytest.approx(before + 10 * (TICK_S + PAUSE_S))
