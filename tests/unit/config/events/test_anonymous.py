"""What the community hears of somebody's workout, however it was stored."""

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api.reference import data
from api.workouts.rules import Set, WorkoutExercise, training_units
from config.events import anonymous
from config.events.anonymous import EXERCISES_STEPS, MUSCLES, PARTS, UNITS_STEPS, renewed, renewed_text, told

# As the first version told it.
OLD: dict[str, Any] = {
    "id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "v": 1,
    "type": "workout_completed",
    "created_at": "2026-11-21T10:11:00Z",
    "actor": None,
    "data": {
        "total_tu": 7300,
        "exercises": [{"name": n, "slug": n} for n in ("deadlift", "farmers-walk", "squat")],
        "muscles": [
            {"name": "Quads", "slug": "quadriceps", "training_units": 3600},
            {"name": "Lats", "slug": "lats", "training_units": 3700},
        ],
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
STORED_MUSCLES = st.lists(
    st.fixed_dictionaries({"slug": st.sampled_from(sorted(MUSCLES)) | JSON, "training_units": JSON})
)


def test_each_muscle_of_the_reference_data_has_its_part() -> None:
    """Failed with a muscle left out: it would count for nothing."""
    known = {muscle.slug: muscle.bias_weight for muscle in data.load().muscles}
    assert known == {slug: bias_weight for slug, (_, bias_weight) in MUSCLES.items()}
    assert {part for part, _ in MUSCLES.values()} < set(PARTS)


@pytest.mark.parametrize(
    ("exercise", "part"),
    [
        ("pull-up", "back"),
        ("back-squat", "legs"),
        ("barbell-bench-press", "chest"),
        ("plank", "core"),
        ("burpee", "whole-body"),
        ("turkish-get-up", "whole-body"),
    ],
)
def test_an_exercise_is_for_what_it_uses_most(exercise: str, part: str) -> None:
    """Seen failing with the units of a part summed: pull-ups were for the arms, whose muscles are many and small."""
    (one,) = [found for found in data.load().exercises if found.slug == exercise]
    units = training_units([WorkoutExercise(one, (Set(10),))])
    muscles = [{"slug": done.muscle.slug, "training_units": done.training_units} for done in units]
    assert told("workout_completed", 1, {"muscles": muscles})[1]["focus"]["slug"] == part


def test_what_was_stored_earlier_is_told_as_today() -> None:
    """Seen failing with the stored body served as it is: exercises and figures of years."""
    assert renewed(OLD) == {
        **OLD,
        "v": 2,
        "data": {"v": 2, "focus": {"slug": "legs", "name": "Legs"}, "exercise_count": 3, "total_tu": 5_000},
    }
    text = renewed_text(orjson.dumps(OLD))
    assert b"farmers-walk" not in text
    assert renewed_text(text) is text
    other = {**OLD, "type": "high_five"}
    assert renewed(other) is other


@pytest.mark.parametrize(("share", "part"), [(0.32, "whole-body"), (0.35, "arms")])
def test_a_part_that_had_little_of_it_is_no_focus(share: float, part: str) -> None:
    rest = (1 - share) / 3
    units = {"biceps": share, "lats": rest, "chest": rest, "abs": rest}
    muscles = [{"slug": slug, "training_units": one / MUSCLES[slug][1]} for slug, one in units.items()]
    assert told("workout_completed", 1, {"muscles": muscles})[1]["focus"]["slug"] == part


@given(st.fixed_dictionaries({}, optional={"total_tu": JSON, "exercises": JSON, "muscles": STORED_MUSCLES | JSON}))
def test_whatever_is_stored_one_of_few_things_is_told(stored: dict[str, Any]) -> None:
    version, shown = told("workout_completed", 1, stored)
    assert version == shown["v"] == anonymous.VERSION
    assert set(shown) == {"v", "focus", "exercise_count", "total_tu"}
    assert shown["focus"] == {"slug": shown["focus"]["slug"], "name": PARTS[shown["focus"]["slug"]]}
    assert shown["exercise_count"] in EXERCISES_STEPS
    assert shown["total_tu"] in UNITS_STEPS


def test_the_document_says_the_same() -> None:
    """Failed with a step that the document did not have."""
    path = Path(anonymous.__file__).parents[2] / "rt" / "wire" / "asyncapi.yaml"
    schema = yaml.safe_load(path.read_text("utf-8"))["components"]["schemas"]["community_workout"]
    fields = schema["properties"]
    _, shown = told("workout_completed", 1, {})
    assert set(schema["required"]) == set(fields) == set(shown)
    assert fields["v"]["const"] == anonymous.VERSION
    assert tuple(fields["exercise_count"]["enum"]) == EXERCISES_STEPS
    assert tuple(fields["total_tu"]["enum"]) == UNITS_STEPS
    assert set(fields["focus"]["properties"]["slug"]["enum"]) == set(PARTS)
