"""When jobs run: slots of database time, in UTC, the same for every worker whatever its own clock says. Pure.

A slot is an instant. What was missed is made up once: the newest slot alone is due, however many passed before it.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

AGAIN_S: Final = (5, 300)  # a job that failed is tried again after the first, doubled by each failure, up to the second


class Schedule(NamedTuple):
    """Slots `every` so often, the first `after` the beginning of a Monday; a slot of a day or week falls on the same
    time of it, for UTC has no summer."""

    every: timedelta
    after: timedelta = timedelta()

    def newest(self, now: datetime) -> datetime:
        """The newest slot that is not after `now`."""
        first = _MONDAY + self.after
        return first + (now - first) // self.every * self.every

    def next(self, now: datetime) -> datetime:
        """The first slot after `now`."""
        return self.newest(now) + self.every


def every_minutes(minutes: int, after: int = 0) -> Schedule:
    """Slots every so many minutes, `after` so many."""
    return Schedule(timedelta(minutes=minutes), timedelta(minutes=after))


def hourly(minute: int) -> Schedule:
    """A slot at this minute of each hour."""
    return Schedule(timedelta(hours=1), timedelta(minutes=minute))


def daily(hour: int, minute: int) -> Schedule:
    """A slot a day, at this time in UTC."""
    return Schedule(_DAY, timedelta(hours=hour, minutes=minute))


def weekly(day: str, hour: int, minute: int) -> Schedule:
    """A slot a week, on this day at this time in UTC."""
    return Schedule(timedelta(days=7), timedelta(days=_DAYS.index(day), hours=hour, minutes=minute))


SCHEDULE: Final = {
    "leaderboards": every_minutes(5),
    "streaks": hourly(1),  # no zone's midnight is at another minute than 0, 15, 30 or 45
    "challenges": hourly(3),  # midnight comes to one zone after the other
    "rivals": hourly(6),
    "partitions": hourly(11),
    "retention": hourly(16),  # of each kind of what is kept for a term
    "week": daily(0, 21),
    "last-week": weekly("Monday", 12, 31),  # it is Monday everywhere since noon
}


class Known(NamedTuple):
    """What the run log says of a job: the newest slot that is finished, the newest of all, and of that how often it has
    failed and until when it is left alone; None = there is none."""

    done: datetime | None = None
    newest: datetime | None = None
    again: datetime | None = None


def due(schedule: Schedule, now: datetime, known: Known) -> datetime | None:
    """The slot that is to run at `now`; None = nothing is, or it failed and its time has not come."""
    slot = schedule.newest(now)
    if known.done is not None and known.done >= slot:
        return None
    if known.newest == slot and known.again is not None and now < known.again:
        return None
    return slot


def overdue(schedule: Schedule, now: datetime, done: datetime | None) -> timedelta:
    """For how long the newest slot has waited; zero where it is done."""
    slot = schedule.newest(now)
    return timedelta() if done is not None and done >= slot else now - slot


def again_s(failures: int) -> int:
    """Seconds until a job is tried again that has failed so many times, 1 or more, since it last went well."""
    first, most = AGAIN_S
    return min(most, first << min(failures - 1, 16))


def words(schedule: Schedule) -> str:
    """How operators read it: `every 5 minutes`, `hourly at :11`, `daily at 00:21`, `Monday at 12:31`."""
    if schedule.every < timedelta(hours=1):
        return f"every {schedule.every // timedelta(minutes=1)} minutes"
    at = _MONDAY + schedule.after
    if schedule.every == timedelta(hours=1):
        return f"hourly at :{at:%M}"
    return f"{'daily' if schedule.every == _DAY else _DAYS[at.weekday()]} at {at:%H:%M}"
