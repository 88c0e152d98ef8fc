"""A gateway that was stopped for a while: what others said meanwhile counts, and what ended meanwhile has ended.

Silence, which takes a minute: tests/chaos/test_pauses.py.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import httpx2

from config.limits import CONNECT_DEADLINE_S, EPOCH_WAIT_S, PAUSE_S, SEND_QUEUE_AGE_S_MAX
from rt.wire.channels import app_channel, profile_channel
from tests.support.crowd import client_frame, hello
from tests.support.gateway import EPOCH, Gateway
from tests.support.raw import Raw, close_code, frame, raw, request

PAUSE_LASTS_S = 8
PEOPLE = 30
NEARLY_S = CONNECT_DEADLINE_S - 0.7  # of their deadline passes before the pause: less is left than a late tick counts
BIG = b'{"id":"e","type":"x","text":"%b"}' % (b"x" * 10_000)
CONNECT = frame(0x81, b'{"type":"connect"}')


async def test_what_was_said_during_a_pause_is_heard_before_anybody_is_judged(gate: Gateway) -> None:
    """Thirty say `connect` while the gateway is stopped, ten of them only then the end of their handshake; a channel is
    made for one who waits for it. All of them are served, and whoever said nothing is closed all the same.

    Seen failing while deadlines were those of a clock that never stops: 4006 and resets, UNAVAILABLE. With a clock that
    stops and a tick that judges before it has let the loop read: 4006.
    """
    assert NEARLY_S + PAUSE_S < CONNECT_DEADLINE_S + 0.5 < PAUSE_LASTS_S
    late = app_channel("open", "late")
    async with AsyncExitStack() as stack:
        waiting = await stack.enter_async_context(gate.client())
        people, silent = await arrived(gate, stack)
        await waiting.say("subscribe", channel=late.wire, id="late")
        async with stopped(gate):
            for number, person in enumerate(people):
                await person.send(request()[-20:] + CONNECT if number % 3 == 0 else CONNECT)
            await gate.feeds.make(late)
            assert PAUSE_LASTS_S > EPOCH_WAIT_S + PAUSE_S
        answers = await asyncio.gather(*(answer_of(person) for person in people))
        assert [answer.get("type") for answer in answers] == ["welcome"] * PEOPLE, answers
        assert (await waiting.hear("subscribed", "error"))["type"] == "subscribed"
        assert close_code(await silent.rest(CONNECT_DEADLINE_S + 3.0)) == 4006


async def test_a_reader_is_slow_by_the_time_in_which_the_gateway_wrote(gate: Gateway) -> None:
    """What its socket had no room for was the gateway's to write, which was stopped. Seen failing while the pause
    counted: closed with 4002."""
    channel = app_channel("open", "slow")
    await gate.feeds.make(channel)
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(reader, ("127.0.0.1", gate.fleet.rt.port))
        await loop.sock_sendall(reader, hello({"type": "connect"}))
        await loop.sock_sendall(reader, client_frame({"type": "subscribe", "channel": channel.wire}))
        heard = b""
        while b'"subscribed"' not in heard:
            heard += await loop.sock_recv(reader, 4_096)
        count = 0
        began = time.monotonic()
        while not await is_slow(gate) or time.monotonic() < began + 0.5:  # what the kernels take is not slow for long
            if not await is_slow(gate):
                count += 1
                began = time.monotonic()
                assert await gate.feeds.store.append(channel, EPOCH, count, [BIG]) is None
        await asyncio.sleep(SEND_QUEUE_AGE_S_MAX - PAUSE_LASTS_S + 1.5)
        async with stopped(gate):
            assert time.monotonic() - began < SEND_QUEUE_AGE_S_MAX - PAUSE_S, "too busy a machine: it was late already"
        heard = b""
        await loop.sock_sendall(reader, client_frame({"type": "ping"}))
        async with asyncio.timeout(20):
            while b'"pong"' not in heard and (more := await loop.sock_recv(reader, 65_536)):
                heard += more
        assert heard.count(b'"type":"event"') == count
        assert b'"pong"' in heard, heard[-60:]


async def test_a_token_ends_by_the_time_of_day(gate: Gateway) -> None:
    """Its end came during the pause: it is told at once. Seen failing where the wheel alone looked after it, by the
    clock that stops: as late as the pause was long."""
    owner = "3f2b8c1e-0000-4000-8000-00000000000a"
    channel = profile_channel(owner)
    await gate.feeds.make(channel)
    async with gate.client("reader") as talk:
        ends = int(time.time()) + PAUSE_LASTS_S
        token = gate.mint.channel("reader", channel.wire, exp=ends)
        assert (await talk.subscribe(channel.wire, token=token))["type"] == "subscribed"
        async with stopped(gate):
            pass
        woken = time.monotonic()
        assert time.time() >= ends
        assert (await talk.hear("unsubscribed"))["reason"] == "token_expired"
        assert time.monotonic() - woken < PAUSE_LASTS_S / 2


@asynccontextmanager
async def stopped(gate: Gateway) -> AsyncIterator[None]:
    """The gateway's process does not run meanwhile, and for PAUSE_LASTS_S."""
    with gate.fleet.rt.paused():
        ends = time.monotonic() + PAUSE_LASTS_S
        yield
        await asyncio.sleep(ends - time.monotonic())


async def arrived(gate: Gateway, stack: AsyncExitStack) -> tuple[list[Raw], Raw]:
    """Thirty and one who have nearly used up the time to say `connect`; a third has not sent its handshake whole."""
    for _ in range(5):
        began = time.monotonic()
        guests = [await stack.enter_async_context(raw(gate)) for _ in range(PEOPLE + 1)]
        for number, guest in enumerate(guests):
            whole = number % 3 or number == PEOPLE
            await guest.send(request() if whole else request()[:-20])
            if whole:
                await guest.reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(began + NEARLY_S - time.monotonic())
        if time.monotonic() - began < CONNECT_DEADLINE_S - 0.3:
            return guests[:-1], guests[-1]
    raise AssertionError("this machine is too busy to be on time")


async def answer_of(person: Raw) -> dict[str, str]:
    """Its first message, or what it was closed with."""
    data = b""
    with suppress(ConnectionResetError):
        async with asyncio.timeout(20):
            while b"}" not in data and (more := await person.reader.read(4_096)):
                data += more
    _, _, text = data.rpartition(b'{"type"')
    found: dict[str, str] = json.loads(b'{"type"' + text) if text and b"}" in text else {"closed": repr(data[-30:])}
    return found


async def is_slow(gate: Gateway) -> bool:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return "\nrt_slow 1.0" in (await client.get(gate.fleet.rt.http("/metrics"))).text
