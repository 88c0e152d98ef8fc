"""The shell by itself: crashes, slow senders, hosts, headers."""

import asyncio
from typing import Any

import httpx2
import orjson
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import config.serving.http
from config.errors import BadInput
from config.serving.http import Shell, check_host
from config.serving.server import listen, make_server
from config.settings import Settings

SETTINGS = Settings()


async def ask(app: ASGIApp, messages: list[Message], **changes: Any) -> tuple[int, dict[str, str], bytes]:
    """One request straight into the application: status, headers, body."""
    headers = [(b"host", b"localhost"), *changes.pop("headers", [])]
    scope: Scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers, "client": ("127.0.0.1", 1)}
    sent: list[Message] = []
    pending = list(messages)

    async def receive() -> Message:
        if pending:
            return pending.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await app({**scope, **changes}, receive, send)
    if not sent:
        return 0, {}, b""
    shown = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert len(shown) == len(sent[0]["headers"])
    return sent[0]["status"], shown, b"".join(message.get("body", b"") for message in sent[1:])


def shell(app: ASGIApp) -> ASGIApp:
    return Shell(app, SETTINGS)


async def crash(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("SELECT secret FROM /srv/inside")


@pytest.mark.parametrize("path", ["/x", "/api/graphql"])
async def test_a_crash_says_nothing_of_the_inside(path: str) -> None:
    """Seen failing with str(error) as the message."""
    status, headers, body = await ask(shell(crash), [], path=path)
    assert status == 500
    assert b"secret" not in body
    assert b"ValueError" not in body
    answer = orjson.loads(body)
    error = answer["errors"][0]["extensions"] if path == "/api/graphql" else answer["error"]
    assert (error["code"], error["requestId"]) == ("INTERNAL", headers["x-request-id"])


async def test_an_outage_asks_to_come_back() -> None:
    async def away(scope: Scope, receive: Receive, send: Send) -> None:
        raise ConnectionRefusedError

    status, headers, body = await ask(shell(away), [])
    assert (status, headers["retry-after"]) == (503, "1")
    assert orjson.loads(body)["error"]["code"] == "RETRY_LATER"


async def test_a_body_that_dribbles_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen failing (for ever) without the deadline."""
    monkeypatch.setattr(config.serving.http, "HTTP_BODY_S", 0.05)
    dribble: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]
    async with asyncio.timeout(20):
        status, headers, body = await ask(shell(crash), dribble, headers=[(b"content-length", b"100")])
    assert (status, headers["connection"]) == (408, "close")
    assert orjson.loads(body)["error"]["statusCode"] == 408


async def test_whoever_leaves_before_the_end_of_a_body_is_not_answered() -> None:
    gone: list[Message] = [{"type": "http.disconnect"}]
    assert (await ask(shell(crash), gone, headers=[(b"content-length", b"9")]))[0] == 0


async def test_whoever_leaves_behind_a_whole_body_is_not_answered() -> None:
    """Seen failing (a crash) with a body taken for granted where the server has said that it is whole."""
    gone: list[Message] = [{"type": "http.disconnect"}]
    changes = {"headers": [(b"content-length", b"9")], "state": {"whole": True}}
    assert (await ask(shell(crash), gone, **changes))[0] == 0


async def test_an_answer_keeps_what_it_says_but_not_a_policy_of_its_own_on_a_page() -> None:
    """Each header once. Seen failing with `_SECURITY` behind what the answer says, and with the page's policy added."""

    async def says(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"vary", b"Cookie"), (b"x-frame-options", b"SAMEORIGIN"), (b"content-security-policy", b"own")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"."})

    app = Shell(says, SETTINGS, {"/page": lambda host, proxied: f"page {host} {proxied}"})
    sent: list[Message] = []
    for path, policy in (("/x", "own"), ("/page", "page localhost False")):
        _, headers, _ = await ask(app, sent, path=path, method="GET")
        assert headers["vary"] == "Cookie, Accept-Encoding, Origin"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["content-security-policy"] == policy
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("hosts", [["localhost"], ["LOCALHOST:8000"], ["127.0.0.1:8000"], ["[::1]:8000"], ["10.0.0.7"]])
def test_our_names_and_addresses_are_hosts(hosts: list[str]) -> None:
    check_host(hosts, frozenset({"localhost"}))


@pytest.mark.parametrize(
    "hosts", [[], ["a", "b"], [""], ["evil.test"], ["localhost.evil.test"], ["a b"], ["[::1"], ["x@y"]]
)
def test_other_hosts_are_not(hosts: list[str]) -> None:
    with pytest.raises(BadInput):
        check_host(hosts, frozenset({"localhost"}))


async def test_a_head_that_dribbles_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the second one of a connection. Seen failing (for ever) without the deadline: uvicorn has none."""
    monkeypatch.setattr("config.serving.connections.HTTP_HEAD_S", 0.5)
    listener = listen("127.0.0.1", 0, "API_PORT")
    port = listener.getsockname()[1]
    server = make_server(shell(crash), SETTINGS)
    serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: ")
            assert await reader.read() == b""
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 500")
            await reader.read()
            writer.close()
            async with httpx2.AsyncClient() as client:
                assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 500
    finally:
        server.should_exit = True
        await serving
