"""What workouts come to, plainly: a model that looks at all of a user's history at once, and knows no order of arrival.

It shares no code with the product but the pool of challenges and what a workout adds to each.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import isqrt
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from api.challenges.rules import Done, amounts, daily
from api.reference.goals import Goal

DAY = timedelta(days=1)
WORKOUTS = (1, 10, 50, 100, 365, 1_000)
STREAKS = (7, 30, 100, 365)


@dataclass(frozen=True)
class Trained:
    """A workout: when, its training units, the most weight by exercise, and how challenges see it."""

    at: datetime
    total_tu: float
    weights: dict[UUID, float]
    done: Done


@dataclass
class Model:
    """One user. `zones`: since when which; the first one always."""

    user_id: UUID
    pool: Sequence[Goal]
    zones: list[tuple[datetime, str]] = field(default_factory=lambda: [(datetime.min.replace(tzinfo=UTC), "UTC")])
    trained: list[Trained] = field(default_factory=list)

    def date_of(self, at: datetime) -> date:
        zone = [name for since, name in self.zones if since <= at][-1]
        return at.astimezone(ZoneInfo(zone)).date()

    def days(self) -> dict[date, list[Trained]]:
        found: dict[date, list[Trained]] = defaultdict(list)
        for one in self.trained:
            found[self.date_of(one.at)].append(one)
        return found

    def excused(self) -> set[date]:
        """Dates that a clock which was put forward has cut short."""
        found = set()
        for (_, before), (at, after) in zip(self.zones, self.zones[1:], strict=False):
            old, new = (at.astimezone(ZoneInfo(name)).replace(tzinfo=None) for name in (before, after))
            if new > old:
                found |= {old.date() + DAY * n for n in range((new.date() - old.date()).days + 1)}
        return found

    def runs(self) -> list[list[date]]:
        runs: list[list[date]] = []
        for day in sorted(set(self.days()) | self.excused()):
            if runs and runs[-1][-1] == day - DAY:
                runs[-1].append(day)
            else:
                runs.append([day])
        return runs

    def challenges(self) -> dict[tuple[date, UUID], float]:
        """Progress of the DAILY ones by date."""
        found: dict[tuple[date, UUID], float] = defaultdict(float)
        dailies = [one for one in self.pool if one.kind == "DAILY"]
        for day, trained in self.days().items():
            for goal in daily(dailies, self.user_id, day):
                total = sum(amounts([goal], one.done)[0] for one in trained)
                if total:
                    found[day, goal.id] += total
        return found

    def summary(self) -> dict[str, Any]:
        """As `stored` reads it."""
        days, active = self.days(), set(self.days())
        goals = {one.id: one for one in self.pool}
        progress = self.challenges()
        completed = [goals[goal] for (_, goal), total in progress.items() if total >= goals[goal].target]
        worth = {day: sum(min(200, 10 + int(Fraction(one.total_tu) // 50)) for one in of) for day, of in days.items()}
        xp = sum(min(600, total) for total in worth.values()) + sum(one.reward_xp for one in completed)
        runs = self.runs()
        longest = max((sum(day in active for day in run) for run in runs), default=0)
        bests: dict[UUID, tuple[float, datetime]] = {}
        for one in sorted(self.trained, key=lambda one: one.at):
            for exercise, weight in one.weights.items():
                if exercise not in bests or weight > bests[exercise][0]:
                    bests[exercise] = (weight, one.at)
        return {
            "xp": xp,
            "level": level(xp),
            "workouts": len(self.trained),
            "days": {day: (len(of), min(600, worth[day])) for day, of in days.items()},
            "longest": longest,
            "newest": (runs[-1][-1], sum(day in active for day in runs[-1])) if runs else (None, 0),
            "bests": bests,
            "challenges": progress,
            "completed": len(completed),
            "milestones": {("workouts", n) for n in WORKOUTS if n <= len(self.trained)}
            | {("streak", n) for n in STREAKS if n <= longest},
        }


def level(xp: int) -> int:
    """The highest whose 50 · n · (n - 1) are reached: what the contract's formula says, in whole numbers."""
    return (1 + isqrt(1 + 4 * (xp // 50))) // 2
