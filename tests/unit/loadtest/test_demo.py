"""Simulated people: where they are, when they are awake, and that an account of theirs is kept."""

import stat
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loadtest.demo.cities import CITIES
from loadtest.demo.kept import Kept, Known
from loadtest.demo.rules import AWAKE, TRAINING, local_hour, place, share, weights


@given(city=st.sampled_from(CITIES), chance=st.floats(0, 1, exclude_max=True), turn=st.floats(0, 1, exclude_max=True))
def test_everybody_lives_on_earth_and_most_near_the_middle(city: Any, chance: float, turn: float) -> None:
    lat, lng = place(city, chance, turn)
    assert -90 <= lat <= 90
    assert -180 <= lng < 180
    assert chance > 0.5 or abs(lat - city.lat) < 0.11


def test_the_world_wakes_by_its_time_zones() -> None:
    """Seen failing with one hour for all. At 09:00 UTC the evening is in Japan, and California sleeps."""
    now = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
    a_head = {city.name: weight / city.millions for city, weight in zip(CITIES, weights(CITIES, now), strict=True)}
    assert a_head["Tokyo"] > 5 * a_head["Los Angeles"] > 0
    hours = {city.name: local_hour(city, now) for city in CITIES}
    assert (hours["Tokyo"], hours["London"], hours["Delhi"], hours["Los Angeles"]) == (18, 9, 14.5, 1)


@given(hour=st.floats(0, 24))
def test_shares_are_shares_and_join_at_midnight(hour: float) -> None:
    assert all(0 <= share(table, hour) <= 1 for table in (AWAKE, TRAINING))
    assert share(AWAKE, 24) == share(AWAKE, 0)


def test_accounts_are_kept_for_the_next_demo(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "people.json"
    first = Kept(path)
    assert first.take() is None
    client = SimpleNamespace(cookies=SimpleNamespace(get_dict=lambda: {"session": "s"}))
    first.add(Known("a@example.com", "secret"), client)
    first.save()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = Kept(path)
    assert second.take() == Known("a@example.com", "secret", {"session": "s"})
    path.write_text("[{", "utf-8")
    assert Kept(path).take() is None
