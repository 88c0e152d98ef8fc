"""Requests that two servers in a row might read differently, and what a stranger may send to keep one busy: the API's
side of what tests/integration/test_gateway_bytes.py asks of the gateway."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from config.embedded.ports import HOST
from tests.integration.api.conftest import Running

BODY = b'{"email":"a@example.com","password":"x"}'
LAG_S_MAX = 1.0  # what somebody else waits meanwhile, on a machine that runs other tests too
FLOOD_S_MAX = 5.0  # from the first byte to the answer; it takes 0.6


def post(*headers: bytes, body: bytes = BODY, path: bytes = b"/api/v1/auth/login", host: bytes = b"127.0.0.1") -> bytes:
    return b"\r\n".join((b"POST " + path + b" HTTP/1.1", b"Host: " + host, *headers, b"", body))


def chunked(*chunks: bytes) -> bytes:
    return post(b"Content-Type: application/json", b"Transfer-Encoding: chunked", body=b"".join(chunks))


AMBIGUOUS = {
    "length and chunks": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"),
    "two lengths in one": post(b"Content-Length: 5, 6", body=b"hello!"),
    "a signed length": post(b"Content-Length: +5", body=b"hello"),
    "a length in other digits": post("Content-Length: \u0661\u0662".encode(), body=b"hello"),
    "an odd transfer coding": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "a folded header": post(b"X-A: b", b" c", b"Content-Length: 0", body=b""),
    "a NUL": post(b"X-A: b\x00c", b"Content-Length: 0", body=b""),
    "a space before the colon": post(b"Content-Length : 5", body=b"hello"),
    "bare line feeds": b"POST /api/v1/auth/login HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 5\n\nhello",
    "a chunk with a signed size": chunked(b"+5\r\nhello\r\n", b"0\r\n\r\n"),
    "a chunk size in other digits": chunked("\u0665\r\nhello\r\n".encode(), b"0\r\n\r\n"),
    "a chunk without its end": chunked(b"5\r\nhelloX0\r\n\r\n"),
}
HOSTS = (
    b"Host: a@b/../admin",
    b"Host: 127.0.0.1/../admin",
    b"Host: x:99999",
    b"Host: 127.0.0.1:99999",
    b"Host: 127.0.0.1:x",
    b"Host: other.example",
    b"Host:",
    b"X-No-Host: 127.0.0.1",
    b"Host: 127.0.0.1\r\nHost: 127.0.0.1",
)


@contextmanager
def connected(api: Running) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, api.service.port), timeout=15) as connection:
        yield connection


def answers(connection: socket.socket, marker: bytes = b"") -> bytes:
    """All that is said until the end, or until `marker` is."""
    heard = b""
    while True:
        try:
            more = connection.recv(65_536)
        except ConnectionResetError:
            return heard
        heard += more
        if not more or (marker and marker in heard):
            return heard


def responses(heard: bytes) -> int:
    return heard.count(b"HTTP/1.1 ")


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_could_be_read_in_two_ways_is_refused_and_ends_the_connection(api: Running, data: bytes) -> None:
    """A second request rides behind each: it may not be answered. Seen failing with the parser's leniencies switched
    on."""
    with connected(api) as connection:
        connection.sendall(data + b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        heard = answers(connection)
    assert heard[:13] == b"HTTP/1.1 400 "
    assert responses(heard) == 1


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", [b"/api/v1/auth/login", b"/"])
def test_a_host_that_is_not_ours_changes_nothing(api: Running, host: bytes, path: bytes) -> None:
    """Seen failing with a check that takes what stands before the colon, of the first."""
    with connected(api) as connection:
        connection.sendall(
            b"GET " + path + b" HTTP/1.1\r\n" + host + b"\r\nConnection: close\r\n\r\n",
        )
        heard = answers(connection)
    assert heard[:13] == b"HTTP/1.1 400 "
    assert responses(heard) == 1


FLOODS = {
    "chunk extensions": chunked(b"1;" + b"e=" + b"x" * 4_000_000 + b"\r\n{\r\n", b"0\r\n\r\n"),
    "a million chunks of a byte": chunked(b"1\r\n \r\n" * 1_000_000, b"0\r\n\r\n"),
    "trailers": chunked(b"2\r\n{}\r\n0\r\n", b"X-T: y\r\n" * 200_000, b"\r\n"),
}


@pytest.mark.alone
@pytest.mark.parametrize("data", FLOODS.values(), ids=FLOODS)
def test_a_body_that_is_all_wrapping_holds_nobody_up(api: Running, client: httpx2.Client, data: bytes) -> None:
    """Somebody else asks /health all the while. Seen failing with what came so far joined at each chunk."""
    with connected(api) as connection:
        connection.setblocking(False)
        rest, worst_s, heard = memoryview(data), 0.0, b""
        ends = time.monotonic() + FLOOD_S_MAX
        while rest and not heard:
            assert time.monotonic() < ends
            try:
                rest = rest[connection.send(rest[:65_536]) :]
            except BlockingIOError:
                pass
            except OSError:
                break  # it is being refused
            began = time.monotonic()
            assert client.get("/health").status_code == 200
            worst_s = max(worst_s, time.monotonic() - began)
            try:
                heard = connection.recv(65_536)
            except BlockingIOError:
                continue
            except OSError:
                break
        connection.setblocking(True)
        heard = heard or answers(connection, b"\r\n\r\n")
    assert not rest or heard[:10] in (b"", b"HTTP/1.1 4")
    assert time.monotonic() < ends
    assert worst_s < LAG_S_MAX
    assert responses(heard) <= 1


@pytest.mark.alone
def test_a_thousand_requests_in_one_write_are_answered_in_order(api: Running, client: httpx2.Client) -> None:
    """Seen failing with the newest request answered first."""
    many = 1_000
    asked = b"".join(
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: pipelined-%04d\r\n\r\n" % n for n in range(many)
    )
    with connected(api) as connection:
        connection.sendall(asked)
        began = time.monotonic()
        assert client.get("/health").status_code == 200
        waited_s = time.monotonic() - began
        heard = answers(connection, b"pipelined-%04d" % (many - 1))
    assert waited_s < LAG_S_MAX
    order = [int(part[:4]) for part in heard.split(b"pipelined-")[1:]]
    assert order == list(range(many))
