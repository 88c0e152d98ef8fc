"""What was reached, as values, and which time zone may be chosen. Pure.

What a workout earns is computed where it is stored, by the SQL function `earn` (api/migrations/0014_earning.sql).
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from api.reference.goals import Achievement
from config.errors import BadInput

TIME_ZONE_CHARS_MAX: Final = 64


class Earned(msgspec.Struct, frozen=True):
    """What one call brought. `milestones` as `workouts:10`, `streak:7`, `record:back-squat`."""

    xp: int
    level: int
    leveled_up: bool
    milestones: tuple[str, ...]


class Streak(msgspec.Struct, frozen=True):
    """Days in a row: `current` up to today or yesterday; `last_date`: the last one with a workout."""

    current: int
    longest: int
    last_date: date | None


class EarnedAchievement(msgspec.Struct, frozen=True):
    """An achievement, and since when somebody has it."""

    achievement: Achievement
    earned_at: datetime


class Achieved(msgspec.Struct, frozen=True):
    """What somebody has chosen and earned: ids of achievements, and since when."""

    archetype_id: UUID | None
    earned: tuple[tuple[UUID, datetime], ...]


def streak_of(days: int, last: date | None, longest: int, last_date: date | None, today: date) -> Streak:
    """The streak on `today`: `days` is that of the newest run of dates, which ends on `last`. It lives on the day
    after, and where a journey has taken the calendar back."""
    alive = last is not None and (today - last).days <= 1
    return Streak(days if alive else 0, longest, last_date)


def milestone_label(data: Mapping[str, Any]) -> str:
    """A milestone in a word, of the data of its event."""
    return f"{data['kind']}:{data['exercise'] if data['kind'] == 'record' else format(data['value'], 'g')}"


def check_time_zone(name: object, known: Collection[str]) -> str:
    """A name of the IANA database that PostgreSQL knows. Raises BadInput."""
    if not isinstance(name, str) or len(name) > TIME_ZONE_CHARS_MAX or name not in known:
        raise BadInput("timeZone: a name of the IANA database is needed, such as Europe/Berlin", "timeZone")
    return name


def archetype_id(text: str) -> UUID | None:
    """The id that `text` is, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None
