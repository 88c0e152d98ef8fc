"""A small run of `make attack`: the map gives nobody away, and would where its rule is broken."""

import pytest

from loadtest import attack
from rt.map import privacy
from rt.map.privacy import Held, Look, Rule, Step
from rt.map.surroundings import Surroundings

BY_NAME = {case.name: case for case in attack.CASES}


@pytest.mark.parametrize(
    "name",
    [
        "differencing, town at rest",
        "zoom subtraction, town at rest",
        "edge by a fall, 10 a cell, at rest",
        "lone group of 30",
        "ship at sea, 20 aboard",
    ],
)
def test_no_attack_is_much_better_than_blind_guessing(name: str) -> None:
    """A few trials each: the full run is `make attack`. Seen failing with the rule of the next tests."""
    outcome = BY_NAME[name].run(10, attack.SEED)
    assert outcome.hits - outcome.blind <= attack.MARGIN + 3 * outcome.error


def test_the_attacks_succeed_where_the_map_tells_every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attack that cannot win proves nothing."""

    class Exact(Rule):
        def base(self, resolution: int, count: int, shown_in_children: int) -> int:
            return count

        def look(self, cell: int, resolution: int, count: int, held: Held, unix_s: float) -> Look:
            return Look(count, unix_s + 1)

        def guards(self, resolution: int) -> bool:
            return False

    monkeypatch.setattr("loadtest.attack.world.Rule", Exact)
    monkeypatch.setattr(Exact, "least", lambda *_: 1)
    assert BY_NAME["zoom subtraction, town at rest"].run(20, attack.SEED).hits > 0.5
    for name in ("lone group of 12", "lone group of 30 goes quiet", "ship at sea, 20 aboard"):
        assert BY_NAME[name].run(4, attack.SEED).hits == 1.0


@pytest.mark.parametrize(
    ("name", "width", "hits"),
    [
        ("edge by a rise, 10 a cell, at rest", 2, 0.6),
        ("edge measured a day, resolution 7", 1, 0.8),
        ("edge measured a day, resolution 6", 1, 0.7),
        ("edge of the surroundings, a day", 1, 0.9),
        ("edge by young accounts, resolution 3", 1, 0.9),
    ],
)
def test_the_edges_are_found_where_they_are_sharp(
    monkeypatch: pytest.MonkeyPatch, name: str, width: int, hits: float
) -> None:
    """Where an edge is at the count that is one more than its step, or at the next."""
    monkeypatch.setattr(privacy, "step_of", lambda people, _: Step(people, width, 43_200))
    assert BY_NAME[name].run(2, attack.SEED).hits > hits


def test_groups_are_found_where_surroundings_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Surroundings, "around", lambda *_: True)
    for people in (30, 100):
        assert BY_NAME[f"lone group of {people}"].run(10, attack.SEED).hits > 0.6


def test_the_same_seed_is_the_same_run() -> None:
    case = BY_NAME["trajectory, town at rest"]
    assert case.run(2, 5) == case.run(2, 5)
