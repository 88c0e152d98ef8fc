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
FOCUS_SHARE_MIN: Final = 1 / 3  # of what all parts did; where none has as much, it was the whole body

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
# By the muscle's slug in the reference data: its part of the body, and its bias weight, by which units were divided. A
# test holds the two together.
MUSCLES: Final[Mapping[str, tuple[str, float]]] = {
    "triceps": ("arms", 8),
    "biceps": ("arms", 6),
    "brachialis": ("arms", 5),
    "forearms": ("arms", 6),
    "lats": ("back", 14),
    "upper-traps": ("back", 7),
    "mid-back": ("back", 9),
    "erector-spinae": ("back", 12),
    "chest": ("chest", 12),
    "upper-chest": ("chest", 7),
    "serratus-anterior": ("chest", 5),
    "abs": ("core", 8),
    "obliques": ("core", 8),
    "hip-flexors": ("core", 6),
    "glutes": ("legs", 18),
    "glute-medius": ("legs", 8),
    "quadriceps": ("legs", 20),
    "hamstrings": ("legs", 16),
    "adductors": ("legs", 10),
    "calves": ("legs", 9),
    "front-delts": ("shoulders", 6),
    "side-delts": ("shoulders", 6),
    "rear-delts": ("shoulders", 5),
    "rotator-cuff": ("shoulders", 4),
}


def told(kind: str, version: int, data: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """`v` and `data` of an event of this kind for the community; of a kind that is not listed, nothing."""
    return (VERSION, _workout(data)) if kind == "workout_completed" else (version, {})


def is_current(kind: object, version: object) -> bool:
    """Whether an event of the community that is stored so says what it would be told today."""
    return kind != "workout_completed" or (isinstance(version, int) and version >= VERSION)


def renewed(event: dict[str, Any]) -> dict[str, Any]:
    """An event of the community as it would be told today: what was stored earlier may say more."""
    if is_current(event.get("type"), event.get("v")):
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
    """The part of the body whose most used muscle was used most: a pull-up is for the back, however many small muscles
    of the arms help."""
    used: dict[str, float] = {}
    for one in muscles if isinstance(muscles, list) else ():
        slug = one.get("slug") if isinstance(one, dict) else None
        if isinstance(slug, str) and slug in MUSCLES:
            part, bias_weight = MUSCLES[slug]
            used[part] = max(used.get(part, 0.0), bias_weight * _figure(one.get("training_units")))
    part, most = max(used.items(), key=lambda item: (item[1], item[0]), default=(WHOLE_BODY, 0.0))
    return part if most > 0 and most >= FOCUS_SHARE_MIN * sum(used.values()) else WHOLE_BODY


def _step(value: Any, steps: tuple[int, ...]) -> int:
    figure = _figure(value)
    return max((step for step in steps if step <= figure), default=steps[0])


def _figure(value: Any) -> float:
    """A number, or 0 for what is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value == value else 0.0
