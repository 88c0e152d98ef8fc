"""What Debian's Caddy and nginx refuse by themselves: apps read it as they read the API's own refusals."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress

import pytest

from config.embedded.ports import HOST, free_port
from config.limits import HTTP_DISCARD_BYTES_MAX
from tests.support.fronts import FRONTS, SITE, Front, filled, front, shipped

ANSWER_S = 20.0
PATHS = ("/api/graphql", "/api/graphql?x=y", "/api/v1/auth/login", "/config.json")
JSON = "Content-Type: application/json\r\n"


class Upstream:
    """A server that fails as its mode says: no real one can be made to, each time, in the middle of an answer."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mode = "hang up"

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        if self.mode == "silent":
            await reader.read()
        writer.close()


@pytest.fixture(scope="module", params=FRONTS)
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, Upstream]]:
    """Each proxy before nobody, or before an Upstream that is served on its port."""
    upstream = Upstream()
    folder = tmp_path_factory.mktemp("front")
    quicker = {"35s": "1s"}
    if request.param == "caddy":
        quicker["lb_try_duration 5s"] = "lb_try_duration 1s"
        quicker["\troute {"] = "\troute {\n\t\terror /api/busy 429"
    else:
        quicker["    location / {"] = "    location = /api/busy { return 429; }\n    location / {"
    text = filled(shipped(request.param), quicker)
    with front(request.param, folder, api_port=upstream.port, rt_port=free_port(), text=text) as running:
        yield running, upstream


async def refusal(proxy: Front, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what is answered; the rest of a body that is refused is not sent."""
    async with asyncio.timeout(ANSWER_S):
        reader, writer = await proxy.open()
        writer.write(f"{head}Host: {SITE}\r\nConnection: close\r\n\r\n".encode() + body)
        first, *others = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in others)}
        rest = await reader.readexactly(int(headers.get("content-length", "0")))
    writer.transport.abort()  # a proxy that refuses a body waits for it a while
    with suppress(OSError):
        await writer.wait_closed()
    return int(first.split()[1]), headers, rest


def check(heard: tuple[int, dict[str, str], bytes], status: int, code: str, *, graphql: bool) -> None:
    """It has the shape of the path, and says the same everywhere."""
    told, headers, body = heard
    value = json.loads(body)
    fields = value["errors"][0]["extensions"] if graphql else value["error"]
    assert (told, fields["statusCode"], fields["code"]) == (status, status, code)
    assert fields["message"]
    assert not graphql or value["errors"][0]["message"] == fields["message"]
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert fields["requestId"] == headers["x-request-id"]
    assert ("retry-after" in headers) == (code in ("RETRY_LATER", "RATE_LIMITED"))


@pytest.mark.parametrize("mode", ["away", "hang up", "silent"])
async def test_an_api_that_is_away_is_to_be_asked_later(proxy: tuple[Front, Upstream], mode: str) -> None:
    """Seen failing with a page of HTML (nginx) or nothing (Caddy), and with 502 and 504, which no app knows."""
    running, upstream = proxy
    upstream.mode = mode
    server = None if mode == "away" else await asyncio.start_server(upstream, HOST, upstream.port)
    try:
        heads = [f"POST {path} HTTP/1.1\r\n{JSON}Content-Length: 2\r\n" for path in PATHS]
        heard = await asyncio.gather(*(refusal(running, head, b"{}") for head in heads))
    finally:
        if server is not None:
            server.close()
            await server.wait_closed()
    for path, one in zip(PATHS, heard, strict=True):
        check(one, 503, "RETRY_LATER", graphql=path.startswith("/api/graphql"))


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_of_any_size_is_too_large(proxy: tuple[Front, Upstream], path: str) -> None:
    """The proxy says so where it does not pass it on, without waiting for it. Seen failing with a page of HTML (nginx)
    and with no body (Caddy)."""
    running, _ = proxy
    for size in (2_000_000, HTTP_DISCARD_BYTES_MAX + 1, 10**12):
        heard = await refusal(running, f"POST {path} HTTP/1.1\r\n{JSON}Content-Length: {size}\r\n", b"{")
        check(heard, 413, "PAYLOAD_TOO_LARGE", graphql=path.startswith("/api/graphql"))


async def test_what_is_not_there_is_not_there_in_json(proxy: tuple[Front, Upstream]) -> None:
    """Seen failing with a page of HTML, and with an empty body."""
    for path in ("/metrics", "/refused", "/api", "/x"):
        check(await refusal(proxy[0], f"GET {path} HTTP/1.1\r\n"), 404, "NOT_FOUND", graphql=False)


async def test_a_limit_that_an_operator_adds_is_told_as_ours(proxy: tuple[Front, Upstream]) -> None:
    """Such as `limit_req` of nginx with 429. Seen failing with 429 left out of each file: HTML, and no code."""
    check(await refusal(proxy[0], "GET /api/busy HTTP/1.1\r\n"), 429, "RATE_LIMITED", graphql=False)


async def test_a_socket_whose_gateway_is_away_is_told_so(proxy: tuple[Front, Upstream]) -> None:
    check(await refusal(proxy[0], "GET /ws HTTP/1.1\r\n"), 503, "RETRY_LATER", graphql=False)
