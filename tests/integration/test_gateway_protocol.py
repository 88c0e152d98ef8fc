"""The protocol as clients meet it, over real processes and the plain `websockets` client."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.exceptions import InvalidStatus

from rt.map.read import totals
from rt.sockets.wheel import TICK_S
from rt.wire.bus import CONTROL_CHANNEL, REVOKED_KEY
from rt.wire.channels import COMMUNITY, app_channel, profile_channel, user_channel
from tests.support.gateway import EPOCH, Gateway, gateway, shared_fleet, until
from tests.support.processes import Fleet
from tests.support.raw import frame, raw, request
from tests.support.stores import TestStores
from tests.support.tokens import Mint

OPEN = app_channel("open", "x")


@pytest.fixture(scope="module")
def shared(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with shared_fleet(stores.redis_url, tmp_path_factory.mktemp("gateway"), CONNECTIONS_PER_USER_MAX="3") as fleet:
        yield fleet


async def test_presence_reaches_redis_and_goes(gate: Gateway) -> None:
    """The first of these tests: others leave people behind whose time is not over, or empty Redis."""

    async def online() -> int:
        return (await totals(gate.feeds.redis)).users

    async with gate.client("u1") as one, gate.client("u2"), gate.client():
        await one.ask("heartbeat", lat=48.1, lng=11.5)

        async def both() -> bool:
            return await online() == 2

        await until(both)
        await one.say("leave")

        async def left() -> bool:
            return await online() == 1

        await until(left)


async def test_one_session_from_connect_to_leave(gate: Gateway) -> None:
    await gate.feeds.make(COMMUNITY)
    async with gate.socket(subprotocols=["musclemap.v1"]) as talk:
        assert talk.socket.subprotocol == "musclemap.v1"
        welcome = await talk.ask("connect", token=gate.mint.access("u1"))
        assert (welcome["user"], welcome["degraded"]) == ("u1", False)
        told = await talk.subscribe("community")
        assert {k: told[k] for k in ("epoch", "offset", "recovered", "events")} == {
            "epoch": EPOCH, "offset": 0, "recovered": None, "events": [],
        }  # fmt: skip
        await gate.feeds.publish(COMMUNITY, 3)
        events = [await talk.hear("event") for _ in range(3)]
        assert [event["offset"] for event in events] == [1, 2, 3]
        assert (await talk.ask("subscribe", channel="community", since={"epoch": EPOCH, "offset": 1}))["events"] == [
            {"offset": 2, "event": {"id": "e2", "type": "x"}},
            {"offset": 3, "event": {"id": "e3", "type": "x"}},
        ]
        assert (await talk.ask("heartbeat", lat=48.1, lng=11.5, status="training", exercise="squat"))["type"] == "ack"
        view = await talk.ask("viewport", west=-1, south=-1, east=1, north=1, zoom=5)
        tiles = {(await talk.hear("map"))["tile"] for _ in view["tiles"]}
        assert tiles == set(view["tiles"])
        assert (await talk.ask("refresh", token=gate.mint.access("u1")))["type"] == "refreshed"
        assert (await talk.ask("unsubscribe", channel="community"))["type"] == "unsubscribed"
        assert (await talk.ask("ping"))["type"] == "pong"
        await talk.say("leave")
        assert await talk.closed() == 1000


async def test_resume(gate: Gateway) -> None:
    async with gate.socket() as talk:
        ticket = (await talk.ask("connect", token=gate.mint.access("u1")))["resume"]
    async with gate.socket() as talk:
        assert (await talk.ask("connect", resume=ticket))["user"] == "u1"


async def test_recovery_says_the_truth(gate: Gateway) -> None:
    """Table of `since`: inside, at the head, future, another epoch, forgotten."""
    channel = app_channel("open", "recovery")
    await gate.feeds.make(channel)
    await gate.feeds.publish(channel, 5)
    personal = user_channel("u1")
    await gate.feeds.make(personal)
    for _ in range(60):
        await gate.feeds.publish(personal, 1)
    async with gate.feeds.answering(), gate.client("u1") as talk:
        for one, epoch, offset, recovered, count in [
            (channel, EPOCH, 2, True, 3),
            (channel, EPOCH, 0, True, 5),
            (channel, EPOCH, 5, True, 0),
            (channel, EPOCH, 6, False, 0),
            (channel, "else", 2, False, 0),
            (personal, EPOCH, 10, True, 50),
            (personal, EPOCH, 9, False, 0),
        ]:
            told = await talk.ask("subscribe", channel=one.wire, since={"epoch": epoch, "offset": offset})
            assert (told["recovered"], len(told["events"])) == (recovered, count), (one, epoch, offset)
            assert told["offset"] == (5 if one is channel else 60)


async def test_two_large_answers_to_a_client_that_reads_slowly(gate: Gateway) -> None:
    """Each is larger than what a slow client may leave unread. Failed with the second counted as that: 4002."""
    channels = [app_channel("open", f"large-{number}") for number in range(2)]
    for channel in channels:
        await gate.feeds.make(channel)
        gate.feeds.bodies[channel] += [b'{"id":"e%d","type":"%b"}' % (n, b"x" * 1_000) for n in range(1, 801)]
        await gate.feeds.make(channel)
    async with raw(gate) as slow:
        asks: list[dict[str, Any]] = [{"type": "connect"}]
        asks += [{"type": "subscribe", "channel": c.wire, "since": {"epoch": EPOCH, "offset": 0}} for c in channels]
        await slow.send(request())
        await slow.reader.readuntil(b"\r\n\r\n")
        transport = cast(asyncio.Transport, slow.writer.transport)
        transport.pause_reading()
        await slow.send(b"".join(frame(0x81, json.dumps(ask).encode()) for ask in asks))
        async with gate.client() as talk:
            for _ in range(3):
                await talk.ask("ping")
                await asyncio.sleep(TICK_S)  # the gateway looks at who is behind
        transport.resume_reading()
        at = {channel.wire: 0 for channel in channels}
        while min(at.values()) < 800:
            first, payload = await slow.next_frame()
            assert first == 0x81
            message = json.loads(payload)
            if message["type"] == "event":
                assert message["offset"] == at[message["channel"]] + 1
                at[message["channel"]] += 1
            elif message["type"] == "subscribed":
                assert [entry["offset"] for entry in message["events"]] == list(range(1, message["offset"] + 1))
                at[message["channel"]] = message["offset"]
        await slow.send(frame(0x81, b'{"type":"ping"}'))
        assert await slow.next_frame() == (0x81, b'{"type":"pong"}')


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("nope", 4501),
        ('{"type":"ping"}', 4501),
        (b"binary", 1003),
        ('{"type":"connect","token":"bad"}', 4500),
        ("x" * 16_385, 1009),
    ],
)
async def test_bad_beginnings(gate: Gateway, first: str | bytes, code: int) -> None:
    async with gate.socket() as talk:
        await talk.socket.send(first)
        assert await talk.closed() == code
    async with gate.socket() as talk:
        await talk.say("connect", token=gate.mint.access(exp=int(time.time()) - 1))
        assert await talk.closed() == 4001


async def test_errors_close_at_last(gate: Gateway) -> None:
    async with gate.client() as talk:
        assert (await talk.ask("dance"))["code"] == "UNKNOWN_TYPE"
        assert (await talk.ask("heartbeat", lat=91, lng=0))["code"] == "BAD_INPUT"
        assert (await talk.ask("heartbeat", exercise="unheard-of"))["code"] == "BAD_INPUT"
        assert (await talk.subscribe("user:u2"))["code"] == "FORBIDDEN"
        for _ in range(17):
            await talk.say("dance")
        assert await talk.closed() == 4505


async def test_requests_that_are_refused(gate: Gateway) -> None:
    rows: list[tuple[dict[str, Any], int]] = [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": f"http://localhost:{gate.fleet.env['API_PORT']}.evil"}, 403),
        ({"origin": f"https://localhost:{gate.fleet.env['API_PORT']}"}, 403),
        ({"origin": "null"}, 403),
        ({"subprotocols": ["other"]}, 400),
    ]
    for options, status in rows:
        with pytest.raises(InvalidStatus) as refused:
            async with gate.socket(**options):
                pass
        assert refused.value.response.status_code == status
    async with gate.client(origin=f"http://localhost:{gate.fleet.env['API_PORT']}"):
        pass


async def test_a_token_that_is_signed_by_a_new_key(gate: Gateway) -> None:
    """Failed while an unknown key was a bad token at once: whoever signed in right after a rotation was sent away."""
    fresh = Mint("test-2")
    both = json.dumps({"keys": json.loads(gate.mint.jwks)["keys"] + json.loads(fresh.jwks)["keys"]})
    await gate.feeds.redis.set("auth:jwks", both)
    async with gate.socket() as talk:
        assert (await talk.ask("connect", token=fresh.access("u5")))["user"] == "u5"
    async with gate.socket() as talk:
        await talk.say("connect", token=Mint("nowhere").access("u5"))
        assert await talk.closed() == 4500


async def test_revocation_reaches_open_sockets_and_tickets(gate: Gateway) -> None:
    async with gate.socket() as told, gate.socket() as polled:
        await told.ask("connect", token=gate.mint.access("u1", sid="s1"))
        ticket = (await polled.ask("connect", token=gate.mint.access("u2", sid="s2")))["resume"]
        began = time.monotonic()
        await gate.feeds.redis.publish(CONTROL_CHANNEL, json.dumps({"t": "revoke", "sids": ["s1"]}))
        assert await told.closed() == 4503
        assert time.monotonic() - began < 2
        await gate.feeds.redis.zadd(REVOKED_KEY, {"sid:s2": time.time()})  # the bus lost it
        assert await polled.closed() == 4503
    async with gate.socket() as talk:
        await talk.say("connect", resume=ticket)
        assert await talk.closed() == 4503


async def test_channel_tokens(gate: Gateway) -> None:
    channel = profile_channel("friend")
    await gate.feeds.make(channel)
    async with gate.client("u1") as talk:
        token = gate.mint.channel("u1", channel.wire, exp=int(time.time()) + 3)
        assert (await talk.subscribe(channel.wire, token=token))["type"] == "subscribed"
        await gate.feeds.publish(channel)
        assert (await talk.hear("event"))["offset"] == 1
        assert await talk.hear("unsubscribed") == {
            "type": "unsubscribed", "channel": channel.wire, "reason": "token_expired",
        }  # fmt: skip
        await gate.feeds.publish(channel)
        assert (await talk.ask("ping"))["type"] == "pong"


async def test_followers_hear_how_the_owner_of_a_profile_is(gate: Gateway) -> None:
    """Seen failing: a gateway that took these messages of the bus for garbage."""
    channel = profile_channel("star")
    await gate.feeds.make(channel)
    async with gate.client("fan") as fan:
        token = gate.mint.channel("fan", channel.wire)
        assert (await fan.subscribe(channel.wire, token=token))["type"] == "subscribed"
        async with gate.client("star") as star:
            heard = await fan.hear("presence")
            assert (heard["user"], heard["state"]) == ("star", "online")
            await star.say("heartbeat", lat=48.1, lng=11.5, status="training")
            assert (await fan.hear("presence"))["state"] == "training"
            await star.say("leave")
            assert (await fan.hear("presence"))["state"] == "offline"


async def test_nothing_after_unsubscribed_and_order_of_answers(gate: Gateway) -> None:
    """subscribe, unsubscribe and subscribe in one breath: three answers in order, then the stream from there."""
    await gate.feeds.make(OPEN)
    async with gate.client() as talk:
        for n, kind in enumerate(("subscribe", "unsubscribe", "subscribe", "unsubscribe")):
            await talk.say(kind, channel=OPEN.wire, id=n)
        answers = [await talk.hear() for _ in range(4)]
        assert [(a["id"], a["type"]) for a in answers] == [
            (0, "subscribed"), (1, "unsubscribed"), (2, "subscribed"), (3, "unsubscribed"),
        ]  # fmt: skip
        await gate.feeds.publish(OPEN)
        assert (await talk.ask("ping"))["type"] == "pong"


async def test_the_deadline_holds_at_one_byte_a_second_too(gate: Gateway) -> None:
    port = gate.fleet.rt.port

    def drip(head: bytes) -> float:
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.settimeout(1)
            began = time.monotonic()
            for byte in head:
                try:
                    raw.send(bytes((byte,)))
                    if raw.recv(1000) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            return time.monotonic() - began

    async def silent() -> tuple[int | None, float]:
        async with gate.socket() as talk:
            began = time.monotonic()
            return await talk.closed(), time.monotonic() - began

    slow, (code, waited) = await asyncio.gather(asyncio.to_thread(drip, b"GET /ws HTTP/1.1\r\nHost: x\r\n"), silent())
    assert 4 < slow < 9
    assert code == 4006
    assert 4 < waited < 8


async def test_the_rate_of_one_connection(gate: Gateway) -> None:
    async with gate.client() as talk:
        for n in range(330):
            await talk.say("ping", id=n)
        answers = [await talk.hear() for _ in range(330)]
        assert [answer["id"] for answer in answers] == list(range(330))
        limited = [answer for answer in answers if answer["type"] == "error"]
        assert limited
        assert {answer["code"] for answer in limited} == {"RATE_LIMITED"}


async def test_sockets_of_one_user(gate: Gateway) -> None:
    async with gate.client("many"), gate.client("many"):
        async with gate.client("many"), gate.socket() as fourth:
            await fourth.say("connect", token=gate.mint.access("many"))
            assert await fourth.closed() == 4009

        async def again() -> bool:
            async with gate.socket() as third:
                await third.say("connect", token=gate.mint.access("many"))
                return bool((await third.hear())["type"] == "welcome")

        await until(again)


async def test_sockets_of_one_address(redis_url: str, tmp_path: Path) -> None:
    settings = {"CONNECTIONS_PER_ADDRESS_MAX": "2", "LOOPBACK_LENIENT": "false"}
    async with gateway(redis_url, tmp_path, **settings) as gate:
        async with gate.client(), gate.client():
            with pytest.raises(InvalidStatus) as refused:
                async with gate.socket():
                    pass
            assert refused.value.response.status_code == 429

        async def free() -> bool:
            try:
                async with gate.socket():
                    return True
            except InvalidStatus:
                return False

        await until(free)


async def test_two_processes_hear_the_same_and_answer_for_each_other(redis_url: str, tmp_path: Path) -> None:
    async with gateway(redis_url, tmp_path, RT_PROCESSES="2") as gate:
        await gate.feeds.make(OPEN)
        async with asyncio.timeout(20), AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(gate.client()) for _ in range(12)]
            for talk in opened:
                await talk.ask("subscribe", channel=OPEN.wire)
            await gate.feeds.publish(OPEN, 2)
            for talk in opened:
                assert [(await talk.hear("event"))["offset"] for _ in range(2)] == [1, 2]

            async def counted() -> bool:
                return "rt_identified 12.0" in await asyncio.to_thread(_get, gate.fleet.rt.port, "/metrics")

            await until(counted)


def _get(port: int, path: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = b""
        while part := raw.recv(65_536):
            answer += part
        return answer.decode()
