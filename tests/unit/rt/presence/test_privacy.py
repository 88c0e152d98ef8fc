"""The k-rule: who is shown, in which steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rt.presence.privacy import STEPS, Rule, band_of

K = (5, 10, 20)
RULE = Rule(K, b"secret")
CELL = 0x871FB4670FFFFFF
DAY = 86_400.0

_resolutions = st.integers(2, 7)
_walks = st.lists(st.integers(0, 300), min_size=1, max_size=60)


def test_bands_follow_the_resolutions() -> None:
    assert [band_of(resolution) for resolution in range(8)] == [0, 0, 0, 0, 1, 1, 2, 2]


@given(_resolutions, _walks, st.integers(0, 2**60), st.floats(0, 4e9))
def test_never_fewer_than_k_and_never_more_than_there_are(
    resolution: int, walk: list[int], cell: int, unix_s: float
) -> None:
    shown = 0
    for count in walk:
        shown = RULE.level(cell, resolution, count, shown, unix_s)
        assert shown == 0 or K[band_of(resolution)] <= shown <= count
        assert shown == 0 or shown in STEPS


@pytest.mark.parametrize("resolution", [2, 4, 7])
def test_a_crowd_that_goes_one_by_one_is_never_shown_larger_than_it_is(resolution: int) -> None:
    """Seen failing with a step that ends below itself."""
    for cell in range(100):
        shown = 0
        for count in range(160, -1, -1):
            shown = RULE.level(CELL + cell, resolution, count, shown, 0.0)
            assert shown <= count


@given(_resolutions, st.integers(0, 2**60), st.floats(0, 4e9))
def test_half_as_many_again_are_always_shown(resolution: int, cell: int, unix_s: float) -> None:
    k = K[band_of(resolution)]
    assert RULE.level(cell, resolution, k + k // 2, 0, unix_s) == k


@given(_resolutions, st.integers(0, 2**60), st.floats(0, 4e9), st.integers(20, 5_000))
def test_one_person_going_and_coming_changes_nothing_twice(
    resolution: int, cell: int, unix_s: float, count: int
) -> None:
    """Hysteresis: whatever was shown, one going after one came does not bring the old step back."""
    shown = RULE.level(cell, resolution, count, 0, unix_s)
    more = RULE.level(cell, resolution, count + 1, shown, unix_s)
    assert RULE.level(cell, resolution, count, more, unix_s) == more or more == shown


def test_where_a_step_begins_varies_by_cell_by_day_and_by_secret() -> None:
    """Seen failing with a digest without the day."""

    def begins(rule: Rule, cell: int, unix_s: float) -> int:
        return next(count for count in range(100) if rule.level(cell, 7, count, 0, unix_s))

    cells = {begins(RULE, CELL + n, DAY * 20_000) for n in range(100)}
    days = {begins(RULE, CELL, DAY * n) for n in range(100)}
    keys = {begins(Rule(K, b"%d" % n), CELL, DAY) for n in range(100)}
    for seen in (cells, days, keys):
        assert min(seen) > 22
        assert max(seen) <= 30
        assert len(seen) >= 6


def test_another_draw_is_another_beginning() -> None:
    """Seen failing with a digest without the draw."""
    draws = range(1, 100)
    begins = {next(n for n in range(100) if RULE.level(CELL, 7, n, 0, 0.0, draw)) for draw in draws}
    assert len(begins) >= 6


def test_a_few_who_are_not_in_a_shown_child_are_left_out_of_the_parent() -> None:
    assert RULE.base(6, 39, 30) == 30  # 9 others, fewer than 20
    assert RULE.base(6, 50, 30) == 50  # 20 others are a crowd of their own
    assert RULE.base(6, 19, 0) == 19  # no child is shown: nothing to subtract from
    assert RULE.base(3, 96, 100) == 100  # 4 left since the children were drawn
    assert RULE.base(3, 95, 100) == 95


def test_other_values_of_k_are_steps_too() -> None:
    rule = Rule((1, 7, 30), b"")
    assert rule.level(CELL, 2, 2, 0, 0.0) == 1
    assert rule.level(CELL, 4, 11, 0, 0.0) in (7, 10)
    assert rule.level(CELL, 7, 29, 0, 0.0) == 0
    assert rule.level(CELL, 7, 45, 0, 0.0) == 30
