"""Streaks as they are shown, time zones that may be chosen."""

from datetime import date, timedelta
from math import floor, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.progress.rules import archetype_id, check_time_zone, milestone_label, streak_of
from config.errors import BadInput
from tests.support.earning import level

TODAY = date(2026, 11, 27)


@pytest.mark.parametrize(("back", "current"), [(-1, 5), (0, 5), (1, 5), (2, 0), (400, 0)])
def test_a_streak_lives_on_the_day_after(back: int, current: int) -> None:
    """Failed with `< 1` for `<= 1`. A journey to the west takes the calendar back: the last date may be tomorrow."""
    last = TODAY - timedelta(days=back)
    found = streak_of(5, last, 9, last, TODAY)
    assert (found.current, found.longest, found.last_date) == (current, 9, last)


def test_who_never_trained_has_none() -> None:
    assert streak_of(0, None, 0, None, TODAY).current == 0


@pytest.mark.parametrize("name", [None, 5, "", "Mars/Olympus", "europe/berlin", "UTC+3", "x" * 100_000, "Foo/Bar5"])
def test_what_is_no_time_zone_is_refused(name: object) -> None:
    with pytest.raises(BadInput):
        check_time_zone(name, {"UTC", "Europe/Berlin"})


def test_labels() -> None:
    assert milestone_label({"kind": "workouts", "value": 1000.0}) == "workouts:1000"
    assert milestone_label({"kind": "record", "value": 80.5, "exercise": "back-squat"}) == "record:back-squat"
    assert archetype_id("nonsense") is None


@given(st.integers(0, 2**31 - 1))
def test_the_levels_of_the_contract_in_whole_numbers(xp: int) -> None:
    """The model's level is the contract's formula, also where a root is whole."""
    for value in (xp, 50 * level(xp) * (level(xp) - 1), max(0, 50 * level(xp) * (level(xp) - 1) - 1)):
        assert level(value) == 1 + floor((sqrt(1 + value / 12.5) - 1) / 2)
    assert [level(one) for one in (0, 99, 100, 299, 300, 600, 999, 1_000)] == [1, 1, 2, 2, 3, 4, 4, 5]
