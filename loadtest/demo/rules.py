"""Who is awake and who trains, by the hour of the day where they live. Pure: time and chance are its callers'."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from loadtest.demo.cities import City

# Shares by the local hour, from midnight on. People train before work, at noon, and most of all in the evening.
AWAKE: Final = (
    0.10, 0.06, 0.04, 0.04, 0.08, 0.25, 0.50, 0.70, 0.75, 0.70, 0.65, 0.65,
    0.70, 0.65, 0.60, 0.60, 0.70, 0.85, 1.00, 1.00, 0.90, 0.70, 0.45, 0.22,
)  # fmt: skip
TRAINING: Final = (
    0.05, 0.04, 0.03, 0.04, 0.15, 0.45, 0.65, 0.65, 0.50, 0.35, 0.30, 0.35,
    0.45, 0.35, 0.25, 0.30, 0.45, 0.65, 0.75, 0.70, 0.55, 0.35, 0.18, 0.08,
)  # fmt: skip
AROUND_KM: Final = 12.0  # half of a city's people live within about so many of its middle
KM_A_DEGREE: Final = 111.2


def local_hour(city: City, now: datetime) -> float:
    """The hour there, 0 to 24; by its longitude where this machine knows no time zones. `now` is in UTC."""
    try:
        there = now.astimezone(ZoneInfo(city.zone))
    except ZoneInfoNotFoundError:
        there = now + timedelta(hours=round(city.lng / 15))
    return there.hour + there.minute / 60


def share(by_hour: Sequence[float], hour: float) -> float:
    """The share at this hour, straight from one full hour to the next."""
    whole = int(hour) % 24
    return by_hour[whole] + (hour % 1) * (by_hour[(whole + 1) % 24] - by_hour[whole])


def weights(cities: Sequence[City], now: datetime) -> list[float]:
    """How likely somebody who is awake lives in each."""
    return [city.millions * share(AWAKE, local_hour(city, now)) for city in cities]


def place(city: City, chance: float, turn: float) -> tuple[float, float]:
    """Latitude and longitude of somebody there; `chance` and `turn` in [0, 1). Most live near the middle."""
    km = AROUND_KM * math.sqrt(-2 * math.log(1 - chance) / (2 * math.log(2)))
    angle = 2 * math.pi * turn
    lat = city.lat + km * math.sin(angle) / KM_A_DEGREE
    lng = city.lng + km * math.cos(angle) / (KM_A_DEGREE * math.cos(math.radians(city.lat)))
    return max(-90.0, min(90.0, lat)), (lng + 540) % 360 - 180
