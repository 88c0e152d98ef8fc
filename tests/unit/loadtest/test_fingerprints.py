"""A small run of the part of `make attack` that counts unique workouts."""

from collections.abc import Mapping
from typing import Any

import pytest

from config.events import anonymous
from loadtest import fingerprints

FEW = 5_000


def test_hardly_a_workout_is_the_only_one_of_its_kind() -> None:
    """The full run has 100,000. Seen failing with what was told before, as below."""
    report = fingerprints.run(count=FEW)
    assert report.workouts == FEW
    assert report.holds
    assert report.in_window < 0.02


def test_the_count_finds_fingerprints_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attack that cannot win proves nothing: the slugs of the exercises alone."""

    def exercises(_: str, version: int, data: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        return version, {"exercises": sorted(one["slug"] for one in data["exercises"])}

    monkeypatch.setattr(anonymous, "told", exercises)
    report = fingerprints.run(count=FEW)
    assert report.unique > 0.3
    assert not report.holds


def test_the_same_seed_is_the_same_run() -> None:
    assert fingerprints.run(5, 400) == fingerprints.run(5, 400)
