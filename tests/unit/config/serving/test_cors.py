"""Which pages of other origins may read an answer."""

import pytest

from config.errors import Forbidden
from config.serving.cors import Cors

CORS = Cors(frozenset({"https://ours.example"}), ["x-trace"], lambda: {"https://gym.example"})
GRAPHQL, SIGN_IN = "/api/graphql", "/api/v1/auth/login"


def test_pages_of_ours_read_everything_with_cookies() -> None:
    said = dict(CORS.headers(SIGN_IN, "https://ours.example"))
    assert said[b"access-control-allow-origin"] == b"https://ours.example"
    assert said[b"access-control-allow-credentials"] == b"true"
    allowed = CORS.preflight(SIGN_IN, "https://ours.example").headers["access-control-allow-headers"]
    assert {"authorization", "x-trace"} <= set(allowed.split(", "))


def test_a_page_that_shows_a_widget_asks_graphql_as_nobody() -> None:
    """Seen failing with guests at every path, and with the headers of our pages for them."""
    said = dict(CORS.headers(GRAPHQL, "https://gym.example"))
    assert said[b"access-control-allow-origin"] == b"https://gym.example"
    assert b"access-control-allow-credentials" not in said
    assert CORS.preflight(GRAPHQL, "https://gym.example").headers["access-control-allow-headers"] == "content-type"
    assert CORS.headers(SIGN_IN, "https://gym.example") == ()
    with pytest.raises(Forbidden):
        CORS.preflight(SIGN_IN, "https://gym.example")


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "https://gym.example.evil.test"])
def test_others_hear_nothing(origin: str | None) -> None:
    assert CORS.headers(GRAPHQL, origin) == ()
    with pytest.raises(Forbidden):
        CORS.preflight(GRAPHQL, origin)
