"""A small run of `make attack`: the map gives nobody away, and would where its rule is broken."""

import pytest

from loadtest import attack
from rt.presence.privacy import Rule

BY_NAME = {case.name: case for case in attack.CASES}


@pytest.mark.parametrize("name", ["differencing, town at rest", "zoom subtraction, town at rest"])
def test_no_attack_is_much_better_than_blind_guessing(name: str) -> None:
    """Twenty trials each: the full run is `make attack`. Seen failing with the rule of the next test."""
    outcome = attack.run(BY_NAME[name], 20, attack.SEED)
    assert outcome.hits - outcome.blind <= attack.MARGIN + 3 * outcome.error


def test_the_attacks_succeed_where_the_map_tells_every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attack that cannot win proves nothing."""

    class Exact(Rule):
        def base(self, resolution: int, count: int, shown_in_children: int) -> int:
            return count

        def level(self, cell: int, resolution: int, count: int, shown: int, unix_s: float, draw: int = 0) -> int:
            return count

    monkeypatch.setattr(attack, "Rule", Exact)
    outcome = attack.run(BY_NAME["zoom subtraction, town at rest"], 20, attack.SEED)
    assert outcome.hits > 0.5


def test_the_same_seed_is_the_same_run() -> None:
    case = BY_NAME["trajectory, town at rest"]
    assert attack.run(case, 2, 5) == attack.run(case, 2, 5)
