"""A run: how many people there are when, whom it may load, what it promised, and when it is void."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.run.mixes import MIXES, length_s, people_at
from loadtest.run.promises import PromiseError, judge, read
from loadtest.run.targets import NotYours, allowed
from loadtest.run.void import LATE, LOOKS, LOST, in_words, is_void

PROMISES = """
[[promise]]
what = "soon"
of = "user: event"
measure = "p99.5_ms"
at_most = 500
[[promise]]
of = "gaps"
measure = "count"
at_least = 1
at_most = 3
"""


@given(
    mix=st.sampled_from(MIXES),
    at=st.floats(0, 4_000),
    people=st.integers(1, 100_000),
    run=st.floats(1, 4_000) | st.none(),
)
def test_a_mix_never_has_more_people_than_it_was_given(mix: str, at: float, people: int, run: float | None) -> None:
    run_s = length_s(mix, run)
    now = people_at(mix, at, people, 10, run_s)
    assert (now is None) == (run_s is not None and at >= run_s)
    assert now is None or (1 <= now[0] <= people and now[1] > 0)


def test_each_mix_has_its_form() -> None:
    """Seen failing with a spike that begins in the second half, and with one that ends late."""
    forms = {mix: [people_at(mix, at, 100, 5, 90.0) for at in (0, 29, 30, 59, 60, 89, 90)] for mix in MIXES}
    assert forms == {
        "steady": [(100, 5)] * 6 + [None],
        "soak": [(100, 5)] * 6 + [None],
        "ramp": [(10, 5), (40, 5), (40, 5), (70, 5), (70, 5), (100, 5), None],
        "spike": [(20, 5), (20, 5), (100, 100.0), (100, 100.0), (20, 5), (20, 5), None],
    }
    assert [length_s(mix, None) for mix in ("steady", "ramp", "soak")] == [None, 300, 3_600]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "ws://[::1]:1/ws", "http://localhost", "https://LIVE.example/ws"]
)
def test_this_machine_and_ones_own_may_be_loaded(url: str) -> None:
    allowed(url, ["live.example"])


@pytest.mark.parametrize(
    "url",
    [
        "http://live.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@live.example/",
        "http://[bad",
        "",
        "https://sub.mine.example",
        "http://127.1",
        "http://0.0.0.0",
    ],
)
def test_nothing_else_may(url: str) -> None:
    """Seen failing with a name that only begins as loopback does."""
    with pytest.raises(NotYours, match="--i-own"):
        allowed(url, ["mine.example"])


def test_a_promise_is_kept_broken_or_was_not_measured() -> None:
    """Seen failing with a figure that is missing taken for 0."""
    promises = read(PROMISES)
    figures = {("user: event", "p99.5_ms"): 500.0, ("gaps", "count"): 0.0}
    rows = [verdict.row for verdict in judge(promises, lambda of, measure: figures.get((of, measure)))]
    assert rows == [
        ("soon", "p99.5_ms at most 500", "500", "kept"),
        ("gaps count", "count at most 3 and at least 1", "0", "BROKEN"),
    ]
    assert [verdict.row[2:] for verdict in judge(promises, lambda _of, _measure: None)] == [
        ("not measured", "BROKEN")
    ] * 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no \\[\\[promise"),
        ("promise = 1", "no \\[\\[promise"),
        ("[[promise", "no TOML"),
        ('[[promise]]\nmeasure = "p999_ms"\nat_most = 1', "promise 1: `measure`"),
        ('[[promise]]\nmeasure = "requests"', "neither"),
        ('[[promise]]\nmeasure = "requests"\nat_most = true', "a number"),
        ('[[promise]]\nmeasure = "requests"\nat_most = 1\nat_mots = 2', "'at_mots'"),
        ('[[promise]]\nmeasure = "requests"\nof = 1\nat_most = 1', "are texts"),
        ("promise = [1]", "no table"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(text: str, said: str) -> None:
    with pytest.raises(PromiseError, match=said):
        read(text)


def test_a_generator_that_is_late_too_often_or_lost_a_worker_is_void() -> None:
    looks = {LOOKS: 200, LATE: 2}
    judged = [is_void(counted) for counted in ({}, looks, looks | {LATE: 3}, looks | {LOST: 1})]
    assert judged == [False, False, True, True]
    assert in_words(looks, 12.4) == "This generator: late at 2 of 200 looks, 12 ms at worst"
    assert "1 of its workers lost: it measured itself" in in_words(looks | {LOST: 1}, 12.4)
