"""What the community hears of an event that nobody may be known by. Pure, and the only place where it is decided.

A list of exercises, or units to two digits, is a fingerprint: 99 of 100 workouts of 100,000 had one that was theirs
alone, and whoever knows somebody's routine knew the person. So the community is told what sort of training goes on:
the part of the body, how many exercises and how many training units, both in steps. `make attack` counts how many
stay unique (loadtest/fingerprints.py). Built from an allow-list, never by deleting: a field that a new event type
brings is not told until somebody lists it here.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

VERSION: Final = 2  # of `data` of workout_completed as the community hears it; 1 had exercises, muscles and figures
UNITS_STEPS: Final = (0, 2_500, 5_000, 10_000)  # `total_tu` is the step that was reached
EXERCISES_STEPS: Final = (1, 3, 6)  # and so is `exercise_count`
FOCUS_SHARE_MIN: Final = 0.4  # of all units; where no part of the body has as much, it was the whole

WHOLE_BODY: Final = "whole-body"
PARTS: Final[Mapping[str, str]] = {
    "arms": "Arms",
    "back": "Back",
    "chest": "Chest",
    "core": "Core",
    "legs": "Legs",
    "shoulders": "Shoulders",
    WHOLE_BODY: "Whole body",
}
# By the muscle's slug in the reference data; a test holds the two together.
PART_OF: Final[Mapping[str, str]] = {
    muscle: part
    for part, muscles in {
        "arms": ("triceps", "biceps", "brachialis", "forearms"),
        "back": ("lats", "upper-traps", "mid-back", "erector-spinae"),
        "chest": ("chest", "upper-chest", "serratus-anterior"),
        "core": ("abs", "obliques", "hip-flexors"),
        "legs": ("glutes", "glute-medius", "quadriceps", "hamstrings", "adductors", "calves"),
        "shoulders": ("front-delts", "side-delts", "rear-delts", "rotator-cuff"),
    }.items()
    for muscle in muscles
}


def told(kind: str, version: int, data: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """`v` and `data` of an event of this kind for the community; of a kind that is not listed, nothing."""
    return (VERSION, _workout(data)) if kind == "workout_completed" else (version, {})


def renewed(event: dict[str, Any]) -> dict[str, Any]:
    """An event of the community as it would be told today: what was stored earlier may say more."""
    version = event.get("v")
    if event.get("type") != "workout_completed" or (isinstance(version, int) and version >= VERSION):
        return event
    data = event.get("data")
    version, today = told("workout_completed", VERSION, data if isinstance(data, dict) else {})
    return event | {"v": version, "data": today}


def renewed_text(body: bytes) -> bytes:
    """`renewed` for a stored body; one that is up to date stays byte for byte."""
    event = orjson.loads(body)
    today = renewed(event)
    return body if today is event else orjson.dumps(today)


def _workout(data: Mapping[str, Any]) -> dict[str, Any]:
    exercises, focus = data.get("exercises"), _focus(data.get("muscles"))
    count = len(exercises) if isinstance(exercises, list) else 0
    return {
        "v": VERSION,
        "focus": {"slug": focus, "name": PARTS[focus]},
        "exercise_count": _step(count, EXERCISES_STEPS),
        "total_tu": _step(data.get("total_tu"), UNITS_STEPS),
    }


def _focus(muscles: Any) -> str:
    units: dict[str, float] = {}
    for one in muscles if isinstance(muscles, list) else ():
        part = PART_OF.get(one["slug"]) if isinstance(one, dict) and isinstance(one.get("slug"), str) else None
        trained = _figure(one.get("training_units")) if part else 0.0
        if part and trained > 0:
            units[part] = units.get(part, 0.0) + trained
    part, most = max(units.items(), key=lambda item: (item[1], item[0]), default=(WHOLE_BODY, 0.0))
    return part if most >= FOCUS_SHARE_MIN * sum(units.values()) else WHOLE_BODY


def _step(value: Any, steps: tuple[int, ...]) -> int:
    figure = _figure(value)
    return max((step for step in steps if step <= figure), default=steps[0])


def _figure(value: Any) -> float:
    """A number, or 0 for what is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value == value else 0.0
