"""Cursors of every list, with whatever could stand inside one: an answer or BAD_INPUT, never a crash."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from api.pages import encode_cursor
from tests.integration.api.conftest import Account, Running

LISTS = ("myWorkouts", "creditLedger", "communityFeed", "dashboard")
WORKOUT = "01980000-0000-7000-8000-000000000001"
OUT_OF_RANGE = (
    ("0001-01-01T00:00:00+00:00", WORKOUT),
    ("0001-01-01T00:00:00+14:00", WORKOUT),
    ("9999-12-31T23:59:59-14:00", WORKOUT),
    ("1969-12-31T23:59:59+00:00", WORKOUT),
    ("2026-11-21T10:11:12", WORKOUT),
    ("2026-11-21T10:11:12+00:00", "no id"),
    ("9" * 19,),
    ("-1",),
    ("\u0661",),
    ("9" * 16,),
    ("epoch:9999999999999999",),
    (f"{'e' * 64}:0",),
    ("a\0b:1",),
)


@pytest.fixture
def ada(api: Running) -> Account:
    return api.account()


def codes(account: Account, cursor: str) -> list[str]:
    """What each list says to the cursor: a code, or empty where it answers."""
    found = []
    for name in LISTS:
        query = f"query($after: String) {{ {name}(after: $after) {{ edges {{ cursor }} }} }}"
        body = account.graphql(query, after=cursor)
        found.append(body["errors"][0]["extensions"]["code"] if "errors" in body else "")
    return found


@pytest.mark.parametrize("parts", OUT_OF_RANGE, ids=ascii)
def test_a_cursor_that_nobody_gave_out_is_bad_input(ada: Account, parts: tuple[str, ...]) -> None:
    """Seen failing with year 1 fourteen hours east (INTERNAL), and with years 1 and 1969 answered."""
    assert set(codes(ada, encode_cursor(*parts))) <= {"BAD_INPUT", ""}
    if len(parts) == 2:
        assert codes(ada, encode_cursor(*parts))[0] == "BAD_INPUT"


TIMES = st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()) | st.text(max_size=30)
PARTS: st.SearchStrategy[list[Any]] = (
    st.tuples(TIMES, st.uuids() | st.text(max_size=20)).map(list)
    | st.lists(st.integers() | st.text(max_size=20), max_size=3)
    | st.tuples(st.text("0123456789abcdef:-", max_size=90)).map(list)
)


@given(parts=PARTS)
@example(parts=["0001-01-01T00:00:00+14:00", WORKOUT])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_cursor(ada: Account, parts: list[Any]) -> None:
    """Seen failing with an OverflowError, INTERNAL."""
    try:
        cursor = encode_cursor(*parts)
    except UnicodeEncodeError:
        return
    assert set(codes(ada, cursor)) <= {"BAD_INPUT", ""}
