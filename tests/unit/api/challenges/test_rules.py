"""Which challenges there are for whom, and what a workout adds to each."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.challenges.rules import (
    COMMUNITY_AT_ONCE,
    Calendar,
    Done,
    Part,
    Row,
    amounts,
    board,
    daily,
    daily_places,
    in_steps,
    instance_id,
    monday_of,
    to_join,
    weekly,
)
from api.reference.data import load, load_goals
from config.errors import NotFound

DATA = load()
POOL = load_goals(DATA).challenges
DAILIES = [one for one in POOL if one.kind == "DAILY"]
WEEKLIES = [one for one in POOL if one.kind == "COMMUNITY"]
BY_SLUG = {one.slug: one for one in POOL}
EXERCISES = {one.slug: one for one in DATA.exercises}
TODAY = date(2026, 11, 27)
USER = UUID(int=7)


@given(st.uuids(), st.dates(date(1970, 1, 1), date(2100, 1, 1)), st.integers(0, 60))
def test_three_different_places(user: UUID, day: date, pool: int) -> None:
    places = daily_places(user, day, pool)
    assert len(places) == len(set(places)) == min(3, pool)
    assert all(1 <= place <= pool for place in places)
    assert places == daily_places(user, day, pool)


def test_all_of_the_pool_come_up_and_days_differ() -> None:
    """Failed with a hash that left the date out."""
    days = [daily(DAILIES, USER, TODAY + timedelta(days=n)) for n in range(120)]
    assert {goal.slug for day in days for goal in day} == {goal.slug for goal in DAILIES}
    assert sum(one == other for one, other in pairwise(days)) < 5


def test_the_weeks_take_turns() -> None:
    weeks = [weekly(WEEKLIES, monday_of(TODAY) + timedelta(days=7 * n)) for n in range(5)]
    assert all(len({goal.id for goal in week}) == COMMUNITY_AT_ONCE for week in weeks)
    assert {goal.id for week in weeks for goal in week} == {goal.id for goal in WEEKLIES}


def test_what_a_workout_adds() -> None:
    """Failed with every exercise counted for a muscle that it merely uses."""
    push, row, shrug = (EXERCISES[slug] for slug in ("push-up", "barbell-row", "barbell-shrug"))
    done = Done((Part(push, 3, 60, 0.0), Part(row, 2, 20, 1_200.0), Part(shrug, 1, 5, 300.0)), {"chest": 401.25}, 900.0)

    def of(slug: str) -> float:
        return amounts([BY_SLUG[slug]], done)[0]

    assert (of("show-up"), of("sets-10"), of("reps-100"), of("load-2000")) == (1, 6, 85, 1_500)
    assert (of("units-1000"), of("chest-day"), of("lats-day")) == (900, 401.25, 0)
    assert (of("push-ups-50"), of("pull-ups-20"), of("barbell-sets"), of("mid-back-sets")) == (60, 0, 3, 2)


@given(st.lists(st.floats(0, 1e6), max_size=30), st.randoms())
def test_sums_do_not_show_their_order(figures: list[float], chance: object) -> None:
    """Failed with plain sums: 0.1 + 0.2 + 0.3."""
    steps = [in_steps(one) for one in figures]
    assert sum(steps) == sum(reversed(steps)) == sum(sorted(steps))


def _calendar() -> Calendar:
    days = [TODAY + timedelta(days=n) for n in range(-20, 20)]
    return Calendar(TODAY, {day: datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days})


def test_the_board_shows_today_the_week_and_what_had_begun() -> None:
    monday, yesterday = monday_of(TODAY), TODAY - timedelta(days=1)
    fresh = board(POOL, USER, _calendar(), [])
    assert [one.state for one in fresh] == ["JOINED"] * 3 + ["OPEN"] * 4
    assert all(one.ends_at - one.starts_at == timedelta(days=1 if one.kind == "DAILY" else 7) for one in fresh)
    today, old, week = daily(DAILIES, USER, TODAY)[0], daily(DAILIES, USER, yesterday), weekly(WEEKLIES, monday)[0]
    rows = [
        Row(TODAY, today.id, today.target, today.target, today.reward_xp, True),
        Row(yesterday, old[0].id, 1.0, 2.0, 5, False),
        Row(yesterday, old[1].id, 0.0, 2.0, 5, False),  # given, and nothing done
        Row(monday, week.id, 1.0, week.target, week.reward_xp, False),
        Row(monday - timedelta(days=7), WEEKLIES[0].id, 1.0, 3.0, 5, False),
    ]
    shown = board(POOL, USER, _calendar(), rows)
    assert sorted(one.state for one in shown) == ["COMPLETED"] + ["EXPIRED"] * 2 + ["JOINED"] * 3 + ["OPEN"] * 3
    assert len({one.id for one in shown}) == len(shown)


def test_only_what_is_offered_this_week_can_be_joined() -> None:
    monday = monday_of(TODAY)
    offered = weekly(WEEKLIES, monday)
    assert to_join(WEEKLIES, monday, str(instance_id(offered[1], monday))) is offered[1]
    for wanted in (str(instance_id(offered[1], monday - timedelta(days=7))), str(offered[1].id), "", "x"):
        with pytest.raises(NotFound):
            to_join(WEEKLIES, monday, wanted)
