"""What a page may say of how fast it was: anything else is refused with a word, and nothing else is an error."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.vitals.rules import DURATION_MS_MAX, SHIFT_MAX, Report, report_of
from config.errors import ApiError, BadInput, PayloadTooLarge

NAMES = ("lcp", "inp", "fcp", "ttfb", "live")
DURATIONS = st.floats(0, DURATION_MS_MAX) | st.integers(0, int(DURATION_MS_MAX))


@given(st.dictionaries(st.sampled_from(NAMES), DURATIONS, min_size=1), st.none() | st.floats(0, SHIFT_MAX))
def test_what_was_measured_is_kept_in_seconds(told: dict[str, float], cls: float | None) -> None:
    report = report_of(json.dumps({**told, **({} if cls is None else {"cls": cls})}).encode())
    assert report.seconds == {name: ms / 1_000 for name, ms in told.items()}
    assert report.cls == cls


@given(st.binary(max_size=80))
def test_anything_else_is_bad_input(body: bytes) -> None:
    with suppress(BadInput):
        assert report_of(body) != Report()


@pytest.mark.parametrize(
    "told",
    [{}, {"lcp": None}, {"lcp": -1}, {"lcp": 600_001}, {"lcp": True}, {"lcp": "1"}, {"cls": 101}, {"page": "/me"}],
)
def test_a_report_has_bounds(told: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        report_of(json.dumps(told).encode())
    assert refused.value.code == "BAD_INPUT"


def test_a_report_is_short() -> None:
    with pytest.raises(PayloadTooLarge):
        report_of(b'{"lcp": 1' + b" " * 600 + b"}")
