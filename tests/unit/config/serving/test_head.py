"""What a head may say; how the real server takes it is asked in tests/integration/api/test_smuggling.py."""

import pytest

from config.serving.head import CHUNKED, BadHead, judged, without_upgrade

HOST = (b"host", b"a.example")


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ([], 0),
        ([(b"content-length", b"0")], 0),
        ([(b"content-length", b" 12 ")], 12),
        ([(b"transfer-encoding", b"Chunked")], CHUNKED),
        ([(b"content-length", b"3"), (b"expect", b"100-Continue")], 3),
    ],
)
def test_the_length_of_the_body_that_follows(headers: list[tuple[bytes, bytes]], length: int) -> None:
    """Seen failing with chunks taken for no body (0, not -1), and with codings compared letter by letter."""
    assert judged("1.1", b"/x?y=%23&z=[1]", [HOST, *headers]) == length


@pytest.mark.parametrize(
    "target", [b"/", b"/a//b?c", b"http://a.example", b"HTTPS://A.EXAMPLE/x", b"http://a.example?x"]
)
def test_targets_that_are_taken(target: bytes) -> None:
    """Seen failing with the scheme, and with the host, compared letter by letter: HTTPS://A.EXAMPLE/x was refused."""
    assert judged("1.1", target, [HOST]) == 0


@pytest.mark.parametrize(
    "target",
    [
        *(
            b"",
            b"*",
            b"a.example:80",
            b"x",
            b"?x",
            b"/a#b",
            b"/a b",
            b"/\\",
            b"/\xc3",
            b"ftp://a.example/",
            b"http:///x",
        ),
        *(b"http://a.example.evil/", b"http://a.example@evil/", b"http://a.example:80/", b"http://a.example\\/"),
    ],
)
def test_targets_that_are_not(target: bytes) -> None:
    """Seen failing with the beginning of the host compared: 3 were taken; with any character allowed: 4; with whatever
    is no address taken for a path: 6."""
    with pytest.raises(BadHead):
        judged("1.1", target, [HOST])


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("0.9", [HOST]),
        ("2.0", [HOST]),
        ("1.1", []),
        ("1.1", [HOST, HOST]),
        ("1.0", [HOST, HOST]),
        ("1.0", [(b"transfer-encoding", b"chunked")]),
        ("1.1", [HOST, (b"transfer-encoding", b"gzip, chunked")]),
        ("1.1", [HOST, (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")]),
        ("1.1", [HOST, (b"expect", b"100-continue, x")]),
        ("1.1", [HOST, (b"expect", b"")]),
        ("1.1", [HOST, (b"content-length", b"-1")]),
    ],
)
def test_heads_that_two_servers_could_read_differently(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Seen failing without the check of the version (2 were taken), of two hosts (2), of none (1), of expectations (2),
    of the length (1), and with any coding taken that ends in chunked (3)."""
    with pytest.raises(BadHead):
        judged(version, b"/", headers)


def test_http_1_0_needs_no_host() -> None:
    """Seen failing with a host needed in every version."""
    assert judged("1.0", b"/", []) == 0


def test_a_head_without_its_upgrade_is_the_same_head() -> None:
    """Seen failing with the whole Connection header left out: a client that wanted to close was kept; and with its
    upgrade left in."""
    headers = [HOST, (b"upgrade", b"h2c"), (b"connection", b"close, Upgrade, HTTP2-Settings"), (b"x", b"1")]
    headers += [(b"http2-settings", b"A"), (b"connection", b"upgrade"), (b"content-length", b"2")]
    assert without_upgrade(b"POST", "1.1", b"/x", headers) == (
        b"POST /x HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\nx: 1\r\ncontent-length: 2\r\n\r\n"
    )
