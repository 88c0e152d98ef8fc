"""The rules of archetypes, achievements and challenges, and the shipped sets held against them."""

from typing import Any
from uuid import UUID

import pytest

from api.reference.data import load, load_goals
from api.reference.goals import ACHIEVEMENT_METRICS, build_goals, goal_id
from api.reference.rules import ReferenceDataError

DATA = load()
GOALS = load_goals(DATA)
ARCHETYPE: dict[str, Any] = {"name": "A", "description": "D", "muscles": ["chest"]}
ACHIEVEMENT: dict[str, Any] = {"name": "A", "description": "D", "metric": "workouts", "threshold": 1}
CHALLENGE: dict[str, Any] = {
    "name": "A", "description": "D", "kind": "DAILY", "metric": "sets", "target": 1, "reward_xp": 5,
}  # fmt: skip


def test_the_shipped_sets_are_large_and_whole() -> None:
    assert len(GOALS.archetypes) >= 8
    assert len(GOALS.achievements) >= 30
    assert len(GOALS.challenges) >= 40
    assert len(GOALS.daily) >= 20
    assert {one.metric for one in GOALS.achievements} == ACHIEVEMENT_METRICS
    assert GOALS.challenges[: len(GOALS.daily)] == GOALS.daily
    assert [one.id for one in GOALS.daily] == sorted(one.id for one in GOALS.daily)


def test_ids_never_change() -> None:
    """Rows of users refer to them."""
    assert goal_id("challenge", "show-up") == UUID("09218069-2b89-58c4-bfae-c612c1798e12")
    assert goal_id("achievement", "show-up") != goal_id("challenge", "show-up")


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        (0, {"muscles": []}, "trains some muscles"),
        (0, {"muscles": ["chest", "chest"]}, "trains some muscles"),
        (0, {"muscles": ["wing"]}, "unknown muscle wing"),
        (0, {"extra": 1}, "its fields are"),
        (1, {"metric": "luck"}, "luck is not one of"),
        (1, {"threshold": 0}, "positive number"),
        (1, {"name": " A"}, "characters"),
        (2, {"kind": "YEARLY"}, "YEARLY is not one of"),
        (2, {"equipment": "sofa"}, "unknown equipment sofa"),
        (2, {"muscle": "chest", "exercise": "push-up"}, "alone"),
        (2, {"metric": "units", "exercise": "push-up"}, "those of a muscle"),
        (2, {"reward_xp": 0}, "reward_xp is"),
        (2, {"target": float("nan")}, "positive number"),
    ],
)
def test_an_entry_that_cannot_be_is_named(kind: int, changes: dict[str, Any], reason: str) -> None:
    """Failed for `muscles` that repeat, and for NaN."""
    sets: list[dict[str, Any]] = [
        {"a": ARCHETYPE},
        {"b": ACHIEVEMENT},
        {"c": CHALLENGE, "d": CHALLENGE, "e": CHALLENGE},
    ]
    build_goals(sets[0], sets[1], sets[2], DATA)
    slug, fields = next(iter(sets[kind].items()))
    sets[kind] = sets[kind] | {slug: fields | changes}
    with pytest.raises(ReferenceDataError, match=reason):
        build_goals(sets[0], sets[1], sets[2], DATA)
