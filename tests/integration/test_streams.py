"""Server-sent events of a real gateway: what a stream hears, who may, how it resumes, and what ends it."""

import json
import socket
import time
from contextlib import AsyncExitStack

import pytest

from config.limits import FRAME_BYTES_MAX, HEAD_BYTES_MAX, SEND_QUEUE_BYTES_MAX
from rt.wire.bus import CONTROL_CHANNEL, JWKS_KEY
from rt.wire.channels import COMMUNITY, app_channel, profile_channel, user_channel
from tests.support.gateway import EPOCH, Gateway, until
from tests.support.sse import PATH, Stream, at, figure, is_now, made, stream_of, streaming
from tests.support.tokens import Mint

ANN = "3f2b8c1e-0000-4000-8000-00000000000a"
BIG = b'{"id":"e","type":"x","data":"%b"}' % (b"x" * 60_000)


async def test_a_stream_hears_what_a_socket_hears(gate: Gateway) -> None:
    """The community where nothing is named, to the byte of each message, without a cache on the way."""
    await made(gate, COMMUNITY, 2)
    async with gate.client() as talk, stream_of(gate) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert "no-store" in stream.headers["cache-control"]
        assert stream.headers["x-accel-buffering"] == "no"
        assert await stream.until_place() == at(2)
        assert stream.heard.retry_ms is not None
        assert 1_000 <= stream.heard.retry_ms <= 5_000
        assert (await talk.ask("subscribe", channel="community"))["offset"] == 2
        await gate.feeds.publish(COMMUNITY, 3)
        for offset in (3, 4, 5):
            told = await stream.next()
            assert (told.kind, told.id) == ("event", at(offset))
            assert told.data == await talk.hear()


async def test_who_comes_back_is_told_what_was_missed(gate: Gateway) -> None:
    """By header or address; the header is newer. Seen failing with streams that began at the newest event."""
    channel = app_channel("open", "sse-back")
    query = await made(gate, channel, 10)
    for more, headers, first in (
        ("", {"Last_Event_ID": at(4)}, 5),
        (f"&since={at(4)}", {}, 5),
        (f"&since={at(1)}", {"Last_Event_ID": at(8)}, 9),
    ):
        async with stream_of(gate, query + more, **headers) as stream:
            assert [(await stream.next()).offset for _ in range(first, 11)] == list(range(first, 11))
    async with stream_of(gate, query, Last_Event_ID=at(10)) as stream:  # nothing was missed
        assert await stream.until_place() == at(10)
        await gate.feeds.publish(channel)
        assert (await stream.next()).id == at(11)


@pytest.mark.parametrize("last", [at(99_999_999), "another-epoch:3"])
async def test_what_cannot_be_recovered_is_one_gap(gate: Gateway, last: str) -> None:
    """And the stream goes on behind it. Seen failing with a stream that said nothing of it."""
    channel = app_channel("open", f"sse-gap-{last[:3]}")
    query = await made(gate, channel, 3)
    async with gate.feeds.answering(), stream_of(gate, query, Last_Event_ID=last) as stream:
        told = await stream.next()
        assert (told.kind, told.data, told.id) == ("gap", {"type": "gap", "channel": channel.wire}, at(3))
        await gate.feeds.publish(channel)
        assert (await stream.next())[::2] == ("event", at(4))


async def test_a_long_answer_comes_in_parts_and_meets_the_live_stream(gate: Gateway) -> None:
    """Of several frames. Seen failing with the first part alone."""
    channel = app_channel("open", "sse-long")
    query = await made(gate, channel)
    for offset in range(1, 21):
        assert await gate.feeds.store.append(channel, EPOCH, offset, [BIG]) is None
    assert len(BIG) * 20 > 4 * FRAME_BYTES_MAX
    async with stream_of(gate, query, Last_Event_ID=at(0)) as stream:
        assert await gate.feeds.store.append(channel, EPOCH, 21, [b"{}"]) is None
        assert [(await stream.next()).offset for _ in range(21)] == list(range(1, 22))


async def test_who_may_hear_what(gate: Gateway) -> None:
    """A channel token in the address, where a browser can put no header; an access token in the header."""
    profile, own = profile_channel(ANN), user_channel(ANN)
    of_profile, of_own = await made(gate, profile, 1), await made(gate, own, 1)
    follower, channel_token = gate.mint.access("bob"), gate.mint.channel("bob", profile.wire)
    for query, headers in (
        (f"{of_profile}&token={channel_token}", {}),
        (f"{of_profile}&token={channel_token}", {"Authorization": f"Bearer {follower}"}),
        (of_own, {"Authorization": f"Bearer {gate.mint.access(ANN)}"}),
    ):
        async with stream_of(gate, query, **headers) as stream:
            assert (stream.status, await stream.until_place()) == (200, at(1))
    for query, headers, error in (
        (of_profile, {}, (403, "FORBIDDEN")),
        ("channel=profile:nobody", {}, (403, "FORBIDDEN")),
        (of_profile, {"Authorization": f"Bearer {follower}"}, (403, "FORBIDDEN")),
        (f"{of_profile}&token={gate.mint.channel('bob', 'profile:x')}", {}, (403, "FORBIDDEN")),
        (f"{of_own}&token={channel_token}", {}, (403, "FORBIDDEN")),
        (of_own, {"Authorization": f"Bearer {follower}"}, (403, "FORBIDDEN")),
        (of_own, {"Authorization": "Bearer x.y.z"}, (401, "UNAUTHENTICATED")),
        (of_own, {"Authorization": f"Bearer {gate.mint.access(ANN, exp=1)}"}, (401, "UNAUTHENTICATED")),
        (f"{of_profile}&token={gate.mint.channel('bob', profile.wire, iat=1, exp=2)}", {}, (401, "UNAUTHENTICATED")),
    ):
        async with stream_of(gate, query, **headers) as stream:
            assert stream.error == error
            assert "www-authenticate" in stream.headers or error[0] != 401


async def test_a_key_that_is_not_known_yet_is_waited_for(gate: Gateway) -> None:
    """And then the token is bad, or it is good. Seen failing with a stream that did not go on behind the wait."""
    new, profile = Mint("new"), profile_channel(ANN)
    query = await made(gate, profile)
    token = new.channel("bob", profile.wire)
    for keys, status in (([gate.mint], 401), ([gate.mint, new], 200)):
        await gate.feeds.redis.set(JWKS_KEY, json.dumps({"keys": [json.loads(one.jwks)["keys"][0] for one in keys]}))
        async with (
            stream_of(gate, Authorization=f"Bearer {new.access('u')}") as by_header,
            stream_of(gate, f"{query}&token={token}") as by_address,
        ):
            assert (by_header.status, by_address.status) == (status, status)


REFUSED = {
    "POST": ("POST", "", {}, 405, "METHOD_NOT_ALLOWED"),
    "POST with a body": ("POST", "", {"Content_Length": "9"}, 405, "METHOD_NOT_ALLOWED"),
    "PUT in chunks": ("PUT", "", {"Transfer_Encoding": "chunked"}, 405, "METHOD_NOT_ALLOWED"),
    "OPTIONS that is no preflight": ("OPTIONS", "", {}, 405, "METHOD_NOT_ALLOWED"),
    "an odd Last-Event-ID": ("GET", "", {"Last_Event_ID": "7"}, 400, "BAD_INPUT"),
    "a Last-Event-ID of bytes": ("GET", "", {"Last_Event_ID": "\xff\xfe:1"}, 200, ""),
    "a long Last-Event-ID": ("GET", "", {"Last_Event_ID": "e:" + "9" * 9_000}, 400, "BAD_INPUT"),
    "an odd since": ("GET", "since=now", {}, 400, "BAD_INPUT"),
    "a channel twice": ("GET", "channel=community&channel=x", {}, 400, "BAD_INPUT"),
    "no channel": ("GET", "channel=", {}, 403, "FORBIDDEN"),
    "a channel of lines": ("GET", "channel=community%0d%0aX-Evil:%20y", {}, 403, "FORBIDDEN"),
    "another scheme": ("GET", "", {"Authorization": "Basic eDp5"}, 401, "UNAUTHENTICATED"),
    "a foreign origin": ("GET", "", {"Origin": "https://evil.example"}, 403, "FORBIDDEN"),
    "a preflight of a foreign origin": (
        "OPTIONS", "", {"Origin": "https://evil.example", "Access_Control_Request_Method": "GET"}, 403, "FORBIDDEN",
    ),
    "another's name": ("GET", "", {"Host": "evil.example"}, 400, "BAD_INPUT"),
    "more after it": ("GET", "", {"Content_Length": "0\r\n\r\nGET / HTTP/1.1\r\nHost: x"}, 400, "BAD_INPUT"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_request_for_a_stream(gate: Gateway, name: str) -> None:
    """Each in the shape of the API's errors. Seen failing with 400 and plain text for a POST with a body."""
    method, query, headers, status, code = REFUSED[name]
    async with streaming(gate.fleet.rt.port, query, method, **headers) as stream:
        if status == 200:
            assert stream.status == 200
            return
        assert stream.error == (status, code)
        assert stream.headers["content-type"] == "application/json"
        assert status != 405 or stream.headers["allow"] == "GET, HEAD"


async def test_heads_that_are_too_large(gate: Gateway) -> None:
    for headers in ({f"X-{n}": "y" * 100 for n in range(300)}, {"Cookie": "c" * HEAD_BYTES_MAX}):
        async with stream_of(gate, **headers) as stream:
            assert stream.status in (400, 431)
    async with stream_of(gate, Cookie="c" * (HEAD_BYTES_MAX - 2_000)) as stream:
        assert stream.status == 200


async def test_head_answers_as_get_would_and_ends(gate: Gateway) -> None:
    """Seen failing with a HEAD that streamed."""
    async with streaming(gate.fleet.rt.port, "", "HEAD") as stream:
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
        assert await stream.rest() == []
        assert stream.heard.retry_ms is None
    async with streaming(gate.fleet.rt.port, "channel=user:x", "HEAD") as stream:
        assert (stream.status, stream.body) == (403, b"")


async def test_pages_of_our_origins_may_read_it(gate: Gateway) -> None:
    """As the API's answers, refusals among them, and with credentials. Seen failing without the header of a refusal:
    the page saw no status."""
    origin = f"http://127.0.0.1:{gate.fleet.env['API_PORT']}"
    for query, status in (("", 200), ("channel=user:x", 403), ("since=x", 400)):
        async with stream_of(gate, query, Origin=origin) as stream:
            assert stream.status == status
            assert stream.headers["access-control-allow-origin"] == origin
            assert stream.headers["access-control-allow-credentials"] == "true"
            assert stream.headers["vary"] == "Origin"
    asked = {"Origin": origin, "Access_Control_Request_Method": "GET"}
    async with streaming(gate.fleet.rt.port, "", "OPTIONS", **asked) as stream:
        assert (stream.status, stream.body) == (204, b"")
        assert stream.headers["access-control-allow-origin"] == origin
        assert {"authorization", "last-event-id"} <= set(stream.headers["access-control-allow-headers"].split(", "))
        assert "content-length" not in stream.headers


# --- what ends one


async def test_it_ends_with_the_right_to_hear_it(gate: Gateway) -> None:
    """The token's end; the channel, the session and the user taken back. Seen failing with streams by channel token
    alone that a revoked user kept."""
    profile = profile_channel(ANN)
    query = await made(gate, profile, 1)

    def by_token(user: str, **claims: int) -> str:
        return f"{query}&token={gate.mint.channel(user, profile.wire, **claims)}"

    async def revoke(**what: object) -> None:
        await gate.feeds.redis.publish(CONTROL_CHANNEL, json.dumps({"t": "revoke", **what}))

    async with AsyncExitStack() as stack:

        async def opened(query: str, **headers: str) -> Stream:
            stream: Stream = await stack.enter_async_context(stream_of(gate, query, **headers))
            assert await stream.until_place() == at(1)
            return stream

        now = int(time.time())
        short, lost, banned = (
            await opened(by_token("short", iat=now - 60, exp=now + 3)),
            await opened(by_token("lost")),
            await opened(by_token("banned")),
        )
        kept = await opened(by_token("kept"))
        signed_out = await opened(by_token("out"), Authorization=f"Bearer {gate.mint.access('out', sid='s-1')}")
        await revoke(members=[[f"channel:{profile.wire} lost", str(now + 120)]])
        await revoke(user="banned", before=now + 1)
        await revoke(sids=["s-1"])
        for stream, why in ((lost, "not_allowed"), (banned, "session revoked"), (signed_out, "session revoked")):
            assert await stream.rest(5) == []
            assert stream.heard.comments[-1] == why
        assert await short.rest(8) == []
        assert short.heard.comments[-1] == "token_expired"
        assert time.time() >= now + 3
        await gate.feeds.publish(profile)
        assert (await kept.next()).id == at(2)
    async with stream_of(gate, by_token("lost")) as stream:
        assert stream.error == (403, "FORBIDDEN")
    assert await figure(gate, "rt_presence_written_total") == 0  # whoever only reads is in no presence
    await until(lambda: is_now(gate, "rt_users", 0))


async def test_a_client_that_leaves_leaves_nothing(gate: Gateway) -> None:
    """Cut, half-closed, or saying more: its place and its channel are free."""
    channel = app_channel("open", "sse-leaves")
    query = await made(gate, channel, 1)
    await until(lambda: is_now(gate, "rt_channels", 0))
    for how in ("cut", "half-closed", "more"):
        async with stream_of(gate, query) as stream:
            assert await stream.until_place() == at(1)
            if how == "cut":
                stream.writer.transport.abort()
                continue
            if how == "half-closed":
                stream.writer.write_eof()
            else:
                stream.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await stream.rest() == []
        await until(lambda: is_now(gate, "rt_connections", 1))  # of whoever asks for the figures
        await until(lambda: is_now(gate, "rt_channels", 0))


async def test_who_reads_too_slowly_goes_and_comes_back_whole(gate: Gateway) -> None:
    """What waits for it is bounded; nobody else waits. Seen failing with a stream that was told of no pause."""
    channel = app_channel("open", "sse-slow")
    query = await made(gate, channel)
    before = await figure(gate, "rt_closed_slow_total")
    slow = socket.create_connection(("127.0.0.1", gate.fleet.rt.port))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.sendall(f"GET {PATH}?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    async with stream_of(gate, query) as quick:
        await quick.until_place()
        await until(lambda: is_now(gate, "rt_connections", 3))
        count = 0
        while not await is_now(gate, "rt_closed_slow_total", before + 1):
            count += 1
            assert count * len(BIG) < 40 * SEND_QUEUE_BYTES_MAX
            assert await gate.feeds.store.append(channel, EPOCH, count, [BIG]) is None
            assert (await quick.next()).offset == count
    slow.close()
    async with stream_of(gate, query, Last_Event_ID=at(count - 1)) as stream:
        assert (await stream.next()).offset == count
