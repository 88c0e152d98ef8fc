"""The gateway when things go wrong: joins under load, a wiped Redis, readers that stall, restarts, killed children."""

import asyncio
import json
import os
import signal
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from rt.wire.channels import Channel, app_channel
from tests.support import forks
from tests.support.gateway import EPOCH, Gateway, Talk, gateway, until
from tests.support.processes import get_status
from tests.support.stores import TestStores

CHANNEL = app_channel("open", "load")


async def test_joins_under_load_lose_nothing_and_repeat_nothing(gate: Gateway) -> None:
    """Failed when a join was answered without what the bus brought while its history was being read."""
    await joins_under_load(gate, app_channel("open", "joins"), clients=10, joins_each=60)


@pytest.mark.chaos
@pytest.mark.timeout(900)
async def test_ten_thousand_joins_under_load(gate: Gateway) -> None:
    """The same, longer; no client comes over its rate."""
    await joins_under_load(gate, app_channel("open", "many-joins"), clients=100, joins_each=100)
    print("10,000 joins under load: lost 0, double 0")


async def joins_under_load(gate: Gateway, channel: Channel, *, clients: int, joins_each: int) -> None:
    """Every offset once and in order, over joins of every kind, or it fails."""
    await gate.feeds.make(channel)
    done = asyncio.Event()

    async def publish() -> None:
        while not done.is_set():
            await gate.feeds.publish(channel, 3)
            await asyncio.sleep(0.004)

    async def join(number: int) -> None:
        """Follows the stream, joining again and again, with and without leaving the channel to nobody between."""
        async with gate.client() as talk:
            at = (await talk.ask("subscribe", channel=channel.wire))["offset"]
            for turn in range(joins_each):
                if (turn + number) % 3 == 0:
                    await talk.say("unsubscribe", channel=channel.wire)
                    while (message := await talk.hear("event", "unsubscribed"))["type"] == "event":
                        assert message["offset"] == at + 1
                        at += 1
                    await asyncio.sleep(0.01)
                since = at
                await talk.say("subscribe", channel=channel.wire, since={"epoch": EPOCH, "offset": since})
                while (message := await talk.hear("event", "subscribed"))["type"] == "event":
                    assert message["offset"] == at + 1  # was on its way when the gateway heard us
                    at += 1
                assert message["recovered"] is True
                told = [entry["offset"] for entry in message["events"]]
                assert told == list(range(since + 1, message["offset"] + 1))
                at = message["offset"]  # it may be behind what the old subscription brought: it goes on from `since`
                for _ in range(2):
                    assert (await talk.hear("event"))["offset"] == at + 1
                    at += 1

    publisher = asyncio.ensure_future(publish())
    try:
        await asyncio.gather(*(join(number) for number in range(clients)))
    finally:
        done.set()
        await publisher


async def test_a_wiped_redis_is_a_pause(own_stores: TestStores, tmp_path: Path) -> None:
    """Redis restarts empty; whoever fills it again (the relay) goes on with the same epoch: nobody sees a hole.

    Failed when the stream went on after a reconnect without reading what was published in between.
    """
    async with gateway(own_stores.redis_url, tmp_path) as gate:
        await gate.feeds.make(CHANNEL)
        async with gate.client("u1") as talk:
            await talk.ask("subscribe", channel=CHANNEL.wire)
            await gate.feeds.publish(CHANNEL, 2)
            assert [(await talk.hear("event"))["offset"] for _ in range(2)] == [1, 2]
            own_stores.valkey.kill()
            assert (await talk.hear("status"))["degraded"] is True
            async with gate.client("u2") as other:  # still welcome
                assert (await other.ask("ping"))["type"] == "pong"
                assert (await other.ask("subscribe", channel="app:open:new"))["code"] == "UNAVAILABLE"
            assert await get_status(gate.fleet.rt.port, "/ready") == 503
            assert await get_status(gate.fleet.rt.port, "/health") == 200
            own_stores.valkey.start()
            gate.feeds.bodies[CHANNEL] += [b'{"id":"e%d"}' % n for n in range(3, 8)]  # PostgreSQL had more meanwhile
            began = time.monotonic()
            await gate.feeds.prepare(gate.mint)
            await gate.feeds.make(CHANNEL)
            assert [(await talk.hear("event"))["offset"] for _ in range(5)] == [3, 4, 5, 6, 7]
            assert time.monotonic() - began < 5
            await gate.feeds.publish(CHANNEL)
            assert (await talk.hear("event"))["offset"] == 8
            told = await talk.ask("subscribe", channel=CHANNEL.wire, since={"epoch": EPOCH, "offset": 1})
            assert (told["epoch"], told["recovered"], len(told["events"])) == (EPOCH, True, 7)


async def test_a_channel_that_redis_lost_is_asked_of_the_relay(gate: Gateway) -> None:
    channel = app_channel("open", "lost")
    async with gate.client() as talk:
        await talk.say("subscribe", channel=channel.wire, id=1)
        asked = b""
        while asked != b"open:lost":  # tests before this one have asked for theirs
            popped: Any = await gate.feeds.redis.brpop(["relay:refill"], timeout=5)
            assert popped, "nobody asked"
            asked = popped[1]
        await gate.feeds.make(channel)
        assert (await talk.hear())["type"] == "subscribed"


@pytest.mark.alone
async def test_readers_that_stall_are_cut_and_nobody_waits_for_them(gate: Gateway) -> None:
    """Failed without the caps: the gateway kept whatever the stalled did not read."""
    channel = app_channel("open", "stalled")
    await gate.feeds.make(channel)
    stalled = [await asyncio.to_thread(_stall, gate.fleet.rt.port, channel) for _ in range(5)]
    try:
        async with gate.client() as talk:
            await talk.ask("subscribe", channel=channel.wire)
            body = b'{"id":"x","p":"' + b"x" * 20_000 + b'"}'
            worst, at = 0.0, 0

            async def cut() -> bool:
                return "rt_closed_slow_total 5.0" in await asyncio.to_thread(_metrics, gate.fleet.rt.port)

            end = time.monotonic() + 25
            while not await cut():
                assert time.monotonic() < end
                for _ in range(50):
                    began = time.monotonic()
                    assert await gate.feeds.store.append(channel, EPOCH, at + 1, [body]) is None
                    at += 1
                    assert (await talk.hear("event"))["offset"] == at
                    worst = max(worst, time.monotonic() - began)
            assert worst < 2
    finally:
        for raw in stalled:
            raw.close()


async def test_drain_tells_everybody_when_to_come_back(redis_url: str, tmp_path: Path) -> None:
    """SIGTERM: all events, `reconnect`, then 1012; exit 0. Under load: tests/chaos/test_restarts.py."""
    async with gateway(redis_url, tmp_path, RT_PROCESSES="2", RT_DRAIN_S="2") as gate:
        await gate.feeds.make(CHANNEL)
        async with AsyncExitStack() as stack:
            talks = [await stack.enter_async_context(gate.client()) for _ in range(40)]
            for talk in talks:
                await talk.ask("subscribe", channel=CHANNEL.wire)
            await gate.feeds.publish(CHANNEL, 5)
            ends = [asyncio.ensure_future(_last_words(talk)) for talk in talks]
            code = await gate.fleet.rt.stop()
            assert code == 0
            for offsets, after_ms, closed in await asyncio.gather(*ends):
                assert offsets == [1, 2, 3, 4, 5]
                assert 0 < after_ms < 10_000
                assert closed == 1012


async def test_a_killed_child_is_replaced_and_clients_resume(gate: Gateway) -> None:
    channel = app_channel("open", "killed")
    await gate.feeds.make(channel)
    await gate.feeds.publish(channel, 2)
    async with gate.client() as talk:
        assert (await talk.ask("subscribe", channel=channel.wire))["offset"] == 2
        os.kill(gate.fleet.rt.children()[0], signal.SIGKILL)
        await talk.closed()
    await gate.feeds.publish(channel, 3)
    await gate.fleet.rt.wait_ready()
    async with gate.client() as talk:
        told = await talk.ask("subscribe", channel=channel.wire, since={"epoch": EPOCH, "offset": 2})
        assert (told["recovered"], len(told["events"])) == (True, 3)


async def test_a_killed_supervisor_takes_its_children_along(gate: Gateway) -> None:
    """Failed without PDEATHSIG: the children kept the port and their sockets."""
    children = gate.fleet.rt.children()
    assert len(children) == 2  # a gateway and the keeper
    gate.fleet.rt.kill()
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    await gate.fleet.rt.start()


async def test_a_port_in_use_is_one_line(gate: Gateway) -> None:
    second = await asyncio.to_thread(forks.run, "rt", env=gate.fleet.env)
    assert second.returncode == 1
    assert second.stderr.strip() == f"port {gate.fleet.rt.port} is in use: set RT_PORT to a free one"


def _stall(port: int, channel: Channel) -> socket.socket:
    """A client that subscribes and never reads."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.connect(("127.0.0.1", port))
    raw.sendall(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    for message in ({"type": "connect"}, {"type": "subscribe", "channel": channel.wire}):
        data = json.dumps(message).encode()
        raw.sendall(bytes((0x81, 0x80 | len(data))) + bytes(4) + data)
    return raw


async def _last_words(talk: Talk) -> tuple[list[int], int, int | None]:
    offsets: list[int] = []
    while (message := await _hear_long(talk))["type"] == "event":
        offsets.append(message["offset"])
    assert message["type"] == "reconnect"
    return offsets, message["after_ms"], await talk.closed()


async def _hear_long(talk: Talk) -> dict[str, Any]:
    async with asyncio.timeout(20):
        message: dict[str, Any] = json.loads(await talk.socket.recv())
        return message


def _metrics(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
        raw.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while part := raw.recv(65_536):
            answer += part
        return answer.decode()
