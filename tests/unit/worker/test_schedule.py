"""When jobs run: any time between 1960 and 2200, any schedule of minutes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.jobs.leaderboards import monday
from worker.schedule import (
    AGAIN_S,
    SCHEDULE,
    Known,
    Schedule,
    again_s,
    daily,
    due,
    every_minutes,
    hourly,
    overdue,
    weekly,
    words,
)

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MINUTES_A_WEEK = 7 * 24 * 60

times = st.datetimes(datetime(1960, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis
schedules = st.one_of(
    st.builds(every_minutes, st.integers(1, 120), st.integers(0, 119)),
    st.builds(hourly, st.integers(0, 59)),
    st.builds(daily, st.integers(0, 23), st.integers(0, 59)),
    st.builds(weekly, st.sampled_from(DAYS), st.integers(0, 23), st.integers(0, 59)),
)


@given(schedules, times)
def test_a_time_lies_between_its_newest_slot_and_the_next(schedule: Schedule, now: datetime) -> None:
    """Seen failing with a remainder that is rounded towards zero: that of a day in 1960 was in the future."""
    slot, following = schedule.newest(now), schedule.next(now)
    assert slot <= now < following
    assert following - slot == schedule.every
    assert schedule.newest(slot) == slot
    assert schedule.next(slot) == following
    assert schedule.newest(following - timedelta(microseconds=1)) == slot


@given(times, st.integers(0, 23), st.integers(0, 59), st.sampled_from(DAYS))
def test_slots_fall_where_the_calendar_says(now: datetime, hour: int, minute: int, day: str) -> None:
    """Beside the calendar of the standard library. Seen failing with weeks that begin on the Thursday of 1970-01-01."""
    of_day = daily(hour, minute).newest(now)
    assert (of_day.hour, of_day.minute, of_day.second) == (hour, minute, 0)
    assert now - of_day < timedelta(days=1)
    of_week = weekly(day, hour, minute).newest(now)
    assert (of_week.strftime("%A"), of_week.hour, of_week.minute) == (day, hour, minute)
    assert hourly(minute).newest(now).minute == minute
    assert every_minutes(5).newest(now) == now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0)


@given(schedules, times, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_what_was_missed_is_made_up_once(schedule: Schedule, before: datetime, down: timedelta) -> None:
    """After any time down: one run, of the newest slot, then none before the next. Seen failing with the oldest missed
    slot in place of the newest."""
    done = schedule.newest(before)
    now = before + down
    slot = due(schedule, now, Known(done, done))
    assert slot == (None if now < schedule.next(before) else schedule.newest(now))
    if slot is not None:
        assert overdue(schedule, now, done) == now - slot
        done = slot
    assert due(schedule, now, Known(done, done)) is None
    assert overdue(schedule, now, done) == timedelta()
    assert due(schedule, schedule.next(now), Known(done, done)) == schedule.next(now)


@given(schedules, times, st.timedeltas(timedelta(0), timedelta(days=2)))
def test_a_run_by_hand_counts_as_the_slot_before_it(schedule: Schedule, by_hand: datetime, later: timedelta) -> None:
    """Its slot is the instant itself."""
    now = by_hand + later
    assert (due(schedule, now, Known(by_hand, by_hand)) is None) == (now < schedule.next(by_hand))


@given(schedules, times)
def test_a_failed_slot_rests_and_a_newer_one_does_not(schedule: Schedule, now: datetime) -> None:
    """Seen failing with a rest that the next slot keeps too."""
    slot, second = schedule.newest(now), timedelta(seconds=1)
    assert due(schedule, now, Known(None, slot, now + second)) is None
    assert due(schedule, now, Known(None, slot, now)) == slot
    assert due(schedule, now, Known(None, slot - schedule.every, now + second)) == slot
    assert due(schedule, now, Known()) == slot


@given(st.integers(1, 10_000))
def test_rests_grow_and_end(failures: int) -> None:
    assert AGAIN_S[0] <= again_s(failures) <= again_s(failures + 1) <= AGAIN_S[1]


@given(times)
def test_mondays(now: datetime) -> None:
    """ISO's."""
    assert monday(now).isocalendar()[:2] == now.isocalendar()[:2]
    assert monday(now).isoweekday() == 1


@pytest.mark.parametrize("name", SCHEDULE)
def test_operators_read_when(name: str) -> None:
    said = {
        "leaderboards": "every 5 minutes",
        "streaks": "hourly at :01",
        "challenges": "hourly at :03",
        "rivals": "hourly at :06",
        "partitions": "hourly at :11",
        "retention": "hourly at :16",
        "week": "daily at 00:21",
        "last-week": "Monday at 12:31",
    }
    assert words(SCHEDULE[name]) == said[name]
