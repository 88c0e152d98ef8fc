"""What a request for a stream asks for, and what it may not say."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import BadInput, Unauthenticated
from config.limits import CHANNEL_CHARS_MAX, EPOCH_CHARS_MAX, TOKEN_CHARS_MAX
from rt.wire.inbound import Since
from rt.wire.sse_request import Asked, read


def test_what_is_asked_for() -> None:
    """Seen failing with the `since` of an EventSource's address before what it has heard since."""
    assert read("", [], []) == Asked("community")
    assert read("channel=profile%3Ax&token=t&other=1", ["Bearer a.b.c"], []) == Asked("profile:x", None, "a.b.c", "t")
    assert read("since=e:7", [], []) == Asked("community", Since("e", 7))
    assert read("since=e:7", [], ["e:9"]) == Asked("community", Since("e", 9))
    assert read("since=e:7", [], [""]).since == Since("e", 7)
    assert read("since=a:b:0", [], []).since == Since("a:b", 0)  # an epoch is opaque
    assert read("token=", ["bearer  x"], []) == Asked("community", None, "x", None)


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", ":7", "e:", "e:-1", "e:+1", "e: 1", "e:1.0", "e:1e3", "e:٣", "e:0x1", f"e:{2**53}"),
        *("e:" + "9" * 5_000, "e" * (EPOCH_CHARS_MAX + 1) + ":1", "null", "undefined", "[object Object]", "e:1\x00"),
    ],
)
def test_what_is_no_place(text: str) -> None:
    """In the address, and in a header that is there. Seen failing with `int(offset)` alone (٣, +1, 5,000 digits)."""
    with pytest.raises(BadInput, match="since"):
        read("since=" + text.replace("+", "%2B"), [], [])
    if text:
        with pytest.raises(BadInput, match="Last-Event-ID"):
            read("", [], [text])


@pytest.mark.parametrize(
    "query",
    [
        *("channel=a&channel=b", "since=e:1&since=e:2", "token=a&token=b", "channel=%ff"),
        *("channel=" + "x" * (CHANNEL_CHARS_MAX + 1), "&".join(f"n{n}=" for n in range(40))),
    ],
)
def test_what_no_query_may_be(query: str) -> None:
    with pytest.raises(BadInput):
        read(query, [], [])


@pytest.mark.parametrize(
    "values", [["Basic eDp5"], ["Bearer"], ["Bearer "], [""], ["Bearer a", "Bearer b"], ["Bearer " + "x" * 9_000]]
)
def test_what_is_no_access_token(values: list[str]) -> None:
    assert TOKEN_CHARS_MAX < 9_000
    with pytest.raises(Unauthenticated):
        read("", values, [])


def test_one_place_is_enough() -> None:
    with pytest.raises(BadInput):
        read("", [], ["e:1", "e:2"])


@given(st.text(), st.lists(st.text(), max_size=2), st.lists(st.text(), max_size=2))
def test_whatever_is_said_is_read_or_refused(query: str, authorization: list[str], last: list[str]) -> None:
    with suppress(BadInput, Unauthenticated):
        read(query, authorization, last)
