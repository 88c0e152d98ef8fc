"""What of a history is in memory: whatever is asked for is what was added, and there is a bound."""

from hypothesis import example, given
from hypothesis import strategies as st

from rt.channels.past import Budget, Past


def frames(first: int, count: int) -> list[bytes]:
    return [b"%06d" % offset for offset in range(first, first + count)]


@example([(2, 1), (1, 3)], 1, 12)
@given(
    added=st.lists(st.tuples(st.integers(1, 60), st.integers(1, 30)), max_size=20),
    asked=st.integers(0, 90),
    bytes_max=st.integers(0, 120),
)
def test_what_is_here_is_what_was_added(added: list[tuple[int, int]], asked: int, bytes_max: int) -> None:
    """Failed with a run that is extended without looking how much of it overlaps; with a part one event too long, and
    with one that ends where an older run does, while a newer one goes on."""
    budget = Budget()
    past = Past(budget, bytes_max=150)
    for first, count in added:
        past.add(first, frames(first, count))
        assert past.has(first + count - 1)  # what was added last is served before it is given up
        assert past.size == budget.used <= 150
    part = past.part(asked, bytes_max)
    if part is None:
        assert not past.has(asked + 1)
    else:
        assert part == frames(asked + 1, len(part))
        assert 6 * len(part) <= bytes_max
        more = past.part(asked, bytes_max + 6)
        assert more is not None
        assert 6 * len(part) + 6 > bytes_max or more == part
    past.clear()
    assert (past.size, budget.used, past.has(asked + 1)) == (0, 0, False)


def test_runs_that_touch_are_one_and_what_was_not_used_goes_first() -> None:
    """Failed with the newest run given up: who had just had it read had it read for ever."""
    past = Past(Budget(), bytes_max=60)
    past.add(1, frames(1, 4))
    past.add(5, frames(5, 2))
    assert past.part(0, 1_000) == frames(1, 6)
    past.add(21, frames(21, 2))
    assert past.part(0, 6) == frames(1, 1)
    past.add(31, frames(31, 4))
    assert not past.has(21)
    assert past.has(1)
    assert past.has(34)
