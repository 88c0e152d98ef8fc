"""The rules of reference data, and the shipped set held against them."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.reference.data import load
from api.reference.rules import ReferenceDataError, build, exercise_id, matches, muscle_id, works

DATA = load()

MUSCLES: dict[str, Any] = {"chest": {"name": "Chest", "bias_weight": 12}, "abs": {"name": "Abs", "bias_weight": 8}}
EQUIPMENT: dict[str, Any] = {"barbell": {"name": "Barbell"}}


def press(**changes: Any) -> dict[str, Any]:
    return {"press": {"name": "Press", "equipment": "barbell", "muscles": {"abs": 10, "chest": 90}} | changes}


def test_the_shipped_set_is_large_and_whole() -> None:
    assert len(DATA.exercises) >= 70
    assert 20 <= len(DATA.muscles) <= 30
    assert len(DATA.equipment) >= 15
    assert len(DATA.slugs) == len(DATA.exercises) == len({exercise.id for exercise in DATA.exercises})


def test_every_muscle_is_the_prime_mover_of_something() -> None:
    primes = {exercise.muscles[0].muscle.slug for exercise in DATA.exercises}
    supported = {"serratus-anterior", "hip-flexors"}
    assert {muscle.slug for muscle in DATA.muscles} - supported <= primes


def test_every_equipment_is_used() -> None:
    assert {exercise.equipment for exercise in DATA.exercises} == set(DATA.equipment)


def test_ids_never_change() -> None:
    """Rows of workouts refer to these ids. Fails when the namespace or the name under it changes."""
    assert muscle_id("chest") == UUID("4c32f575-7933-5b6a-9a4b-0e1ce1049bc4")
    assert exercise_id("deadlift") == UUID("1e3b89a9-2804-5da5-b2b9-ee7946b47fc4")
    assert muscle_id("deadlift") != exercise_id("deadlift")


def test_muscles_come_most_active_first_whatever_the_file_says() -> None:
    exercise = build(MUSCLES, EQUIPMENT, press()).exercises[0]
    assert [(a.muscle.slug, a.percent) for a in exercise.muscles] == [("chest", 90.0), ("abs", 10.0)]


@pytest.mark.parametrize(
    ("exercises", "reason"),
    [
        (press(equipment="sofa"), "unknown equipment sofa"),
        (press(muscles={"wing": 90}), "unknown muscle wing"),
        (press(muscles={"chest": 101}), "not 1-100"),
        (press(muscles={"chest": 90, "abs": 0}), "not 1-100"),
        (press(muscles={"chest": True}), "no number"),
        (press(muscles={"chest": float("nan")}), "not 1-100"),
        (press(muscles={"chest": 45}), "no muscle of at least"),
        (press(muscles={}), "no muscle of at least"),
        (press(name=" Press"), "1-80 characters"),
        (press(name=""), "1-80 characters"),
        (press(video="x"), "its fields are"),
        ({"Press": press()["press"]}, "lower-case words"),
        ({"two": press()["press"], "press": press()["press"]}, "has the name of two"),
    ],
)
def test_a_bad_exercise_is_named_and_refused(exercises: dict[str, Any], reason: str) -> None:
    with pytest.raises(ReferenceDataError, match=reason):
        build(MUSCLES, EQUIPMENT, exercises)


@pytest.mark.parametrize("weight", [0, -4, 101, "12", None, float("inf"), float("nan")])
def test_a_bad_bias_weight_is_refused(weight: object) -> None:
    with pytest.raises(ReferenceDataError, match="muscle chest"):
        build({"chest": {"name": "Chest", "bias_weight": weight}}, EQUIPMENT, {})


def test_search_finds_words_by_their_beginning() -> None:
    def names(search: str) -> set[str]:
        return {exercise.slug for exercise in DATA.exercises if matches(exercise, search)}

    assert {"barbell-bench-press", "close-grip-bench-press"} <= names("BENCH pr")
    assert "bench-dip" not in names("bench pr")
    assert "pistol-squat" in names("body squat")
    assert names("") == DATA.slugs
    assert names("no-such-thing") == set()


@given(st.text(max_size=40))
def test_search_takes_any_text(search: str) -> None:
    for exercise in DATA.exercises[:5]:
        assert matches(exercise, search) in (True, False)


@given(st.sampled_from(DATA.exercises))
def test_an_exercise_is_found_by_its_own_names(exercise: Any) -> None:
    assert matches(exercise, exercise.name.upper())
    assert matches(exercise, exercise.slug)
    assert all(works(exercise, activation.muscle.id) for activation in exercise.muscles)
