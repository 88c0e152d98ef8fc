"""The request that is read directly is answered as `websockets` answers it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.http11 import Request

from config.errors import ApiError, RetryLater
from rt.sockets import handshake, upgrade
from rt.sockets.handshake import Answer, Rules

RULES = Rules(origins=frozenset({"https://a.example"}))
Change = tuple[tuple[str, str], str]
DATE = re.compile(rb"Date: [^\r]*\r\n")

COMMON = {
    "Host": "a.example",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
BROWSER = COMMON | {
    "Connection": "keep-alive, Upgrade",
    "Origin": "https://a.example",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)",
    "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
    "Sec-WebSocket-Protocol": "musclemap.v1",
    "Cookie": "a=b; c=d",
}
VALUES = {
    "Host": ["a.example:8001", "[::1]", "", "a b", "a.example:99999"],
    "Upgrade": ["WebSocket", "h2c", "websocket, h2c", ""],
    "Connection": ["upgrade", "keep-alive", "Upgrade, keep-alive", "close"],
    "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZR==", "AAAA", "=" * 24, " " * 24],
    "Sec-WebSocket-Version": ["8", "", "13, 8", "13\t"],
    "Origin": ["https://b.example", "null", "https://a.example"],
    "Sec-WebSocket-Protocol": ["other", "other, musclemap.v1", "musclemap.v1", ""],
    "Sec-WebSocket-Extensions": ["permessage-deflate", "!!"],
    "Content-Length": ["0", "5", "x"],
    "Transfer-Encoding": ["chunked"],
    "X-Forwarded-For": ["10.0.0.1", "10.0.0.1, 10.0.0.2"],
    "Bad name": ["x"],
    "X-Bytes": ["\u00e9", "a\x00b", "a\tb"],
}


def head(line: str, headers: list[tuple[str, str]]) -> bytes:
    return "".join([f"{line}\r\n", *(f"{name}: {value}\r\n" for name, value in headers), "\r\n"]).encode("latin-1")


def both(request: bytes, refusal: ApiError | None = None) -> tuple[Answer | None, Answer]:
    """The direct answer and the library's, without its date; both must have asked the same of the same request."""
    asked: list[list[tuple[str, list[str]]]] = [[], []]

    def admit(which: int, seen: Request) -> ApiError | None:
        asked[which].append((seen.path, seen.headers.get_all("X-Forwarded-For")))
        return refusal

    direct = upgrade.answer(request, RULES, lambda seen: admit(0, seen))
    library = handshake.answer(request, RULES, lambda seen: admit(1, seen))
    if direct is not None:
        assert asked[0] == asked[1]
    else:
        assert not asked[0]
    return direct, library._replace(data=DATE.sub(b"", library.data))


@pytest.mark.parametrize("headers", [COMMON, BROWSER])
@pytest.mark.parametrize("refusal", [None, RetryLater("Full")])
def test_what_is_common_is_read_directly(headers: dict[str, str], refusal: ApiError | None) -> None:
    direct, library = both(head("GET /ws?a=b HTTP/1.1", list(headers.items())), refusal)
    assert direct == library
    assert direct is not None
    assert direct.upgraded is (refusal is None)


CHANGES = [
    ((name, value), change)
    for name, values in VALUES.items()
    for value in values
    for change in ("replace", "add", "drop")
]
LINES = ("GET /ws HTTP/1.1", "POST /ws HTTP/1.1", "GET /x HTTP/1.1", "GET ws HTTP/1.1", "GET /ws HTTP/1.0")


def test_both_ways_answer_every_change_alike() -> None:
    """Failed without the check of Origin, of a header that is there twice, and of Content-Length."""
    for line in LINES:
        for base in (COMMON, BROWSER):
            for change in CHANGES:
                changed_alike(line, base, [change])


@given(st.sampled_from(LINES), st.sampled_from([COMMON, BROWSER]), st.lists(st.sampled_from(CHANGES), max_size=3))
def test_both_ways_answer_alike(line: str, base: dict[str, str], changes: list[Change]) -> None:
    changed_alike(line, base, changes)


def changed_alike(line: str, base: dict[str, str], changes: list[Change]) -> None:
    headers = list(base.items())
    for (name, value), change in changes:
        if change != "add":
            headers = [entry for entry in headers if entry[0] != name]
        if change != "drop":
            headers.append((name, value))
    direct, library = both(head(line, headers))
    assert direct is None or direct == library
