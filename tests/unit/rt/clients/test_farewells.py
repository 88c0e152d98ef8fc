"""What is kept of sockets that ended: counts and sessions of the last quarter of an hour, and of nobody longer."""

from hypothesis import given
from hypothesis import strategies as st

from config.limits import FAREWELLS_KEPT_S, FAREWELLS_MAX
from rt.clients.farewells import LEFT, Farewells, why_of
from rt.wire.closes import Closing


def test_counts_by_why_and_tells_of_a_user_newest_first() -> None:
    """Seen failing with the oldest first."""
    farewells = Farewells()
    farewells.note(100, LEFT, "ann", "s1")
    farewells.note(160, why_of(Closing.TOO_SLOW), "ann", "s2")
    farewells.note(170, LEFT)
    assert farewells.counts(200) == {LEFT: 2, "4002 too slow": 1}
    assert [(one.session, one.why) for one in farewells.of("ann", 200)] == [("s2", "4002 too slow"), ("s1", LEFT)]
    assert list(farewells.of("bob", 200)) == []


@given(
    st.lists(st.tuples(st.integers(0, 2_000), st.sampled_from(["", "ann", "bob"])), max_size=60), st.integers(0, 2_000)
)
def test_nothing_is_kept_beyond_its_time(ends: list[tuple[int, str]], more_s: int) -> None:
    """Seen failing without `forget`."""
    farewells = Farewells()
    ends.sort()
    for at, user in ends:
        farewells.note(at, LEFT, user, "s")
    now = (ends[-1][0] if ends else 0) + more_s
    expected = [at for at, user in ends if user == "ann" and at > now - FAREWELLS_KEPT_S]
    assert [one.at for one in farewells.of("ann", now)] == expected[::-1]
    young = sum(at > now - FAREWELLS_KEPT_S + 60 for at, _ in ends)
    assert young <= sum(farewells.counts(now).values()) <= sum(at > now - FAREWELLS_KEPT_S - 60 for at, _ in ends)


def test_what_is_as_old_as_may_be_is_forgotten() -> None:
    """Seen failing with `<` for `<=`."""
    farewells = Farewells()
    farewells.note(100, LEFT, "ann", "s")
    assert list(farewells.of("ann", 99.5 + FAREWELLS_KEPT_S)) != []
    assert list(farewells.of("ann", 100 + FAREWELLS_KEPT_S)) == []


def test_a_storm_has_a_bound() -> None:
    farewells = Farewells()
    for number in range(FAREWELLS_MAX + 10):
        farewells.note(1.0, LEFT, "ann", str(number))
    assert len(list(farewells.of("ann", 1.0))) == FAREWELLS_MAX
    assert farewells.counts(1.0) == {LEFT: FAREWELLS_MAX + 10}
