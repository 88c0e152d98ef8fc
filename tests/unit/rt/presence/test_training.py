"""Who is told of which minute, and what is shown of a count."""

from hypothesis import given
from hypothesis import strategies as st

from rt.presence.training import NOW_PEOPLE_PER_TICK_MAX, Doing, Trainers, shown


def test_each_minute_begins_with_everybody_and_tells_each_once() -> None:
    """Seen failing with a minute that begins with nobody: who trains on without a change vanished after a minute."""
    trainers = Trainers()
    trainers.trains("c1", "ada", "squat")
    trainers.trains("c2", "bob", None)
    assert trainers.take(7) == {"c1": Doing("ada", "squat"), "c2": Doing("bob", None)}
    trainers.trains("c1", "ada", "squat")
    assert trainers.take(7) == {}
    trainers.trains("c1", "ada", "bench-press")
    trainers.stops("c2")
    assert trainers.take(7) == {"c1": Doing("ada", "bench-press")}
    assert trainers.take(8) == {"c1": Doing("ada", "bench-press")}


def test_what_redis_did_not_take_is_told_again_unless_it_has_changed() -> None:
    trainers = Trainers()
    for name in ("c1", "c2", "c3"):
        trainers.trains(name, name, "squat")
    taken = trainers.take(7)
    trainers.stops("c1")
    trainers.trains("c2", "c2", "plank")
    trainers.give_back(taken)
    assert trainers.take(7) == {"c2": Doing("c2", "plank"), "c3": Doing("c3", "squat")}


def test_a_large_crowd_is_told_in_pieces() -> None:
    trainers = Trainers()
    for number in range(NOW_PEOPLE_PER_TICK_MAX + 1):
        trainers.trains(f"c{number}", f"u{number}", None)
    assert [len(trainers.take(7)) for _ in range(3)] == [NOW_PEOPLE_PER_TICK_MAX, 1, 0]


@given(st.integers(0, 10**6), st.integers(2, 40))
def test_nothing_is_shown_below_k_and_never_more_than_there_are(count: int, least: int) -> None:
    level = shown(count, least)
    assert level <= count
    assert (level == 0) == (count < least)
    assert level in {0, least} or str(level).rstrip("0") in {"1", "2", "5"}


def test_an_installation_for_one_person_shows_everybody() -> None:
    assert [shown(count, 1) for count in (0, 1, 3, 7)] == [0, 1, 3, 7]
