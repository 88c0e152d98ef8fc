"""Many come at once: nobody who waits for admission is forgotten."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from rt.wire.channels import app_channel, user_channel
from tests.support import graphql_ws
from tests.support.gateway import EPOCH, Gateway, gateway
from tests.support.raw import Raw, frame, raw, request
from tests.support.stores import TestStores
from tests.support.tokens import Mint

VISITORS = 800
SPOKEN = {"/ws": b'{"type":"connect"}', "/api/graphql/ws": b'{"type":"connection_init"}'}
WELCOMED = re.compile(rb'"type":"(welcome|connection_ack)"')
HELLO = request() + frame(0x81, b'{"type":"connect"}')


async def test_a_storm_at_the_door_of_a_gateway_that_leaves(stores: TestStores, tmp_path: Path) -> None:
    """Everybody gets an answer. Failed with a drain that waited neither before nor after its window: resets."""
    async with gateway(stores.redis_url, tmp_path, RT_DRAIN_S="0") as gate, crowd(gate) as visitors:
        stopped = gate.fleet.rt.children()[0]
        os.kill(stopped, signal.SIGSTOP)
        for visitor in visitors:
            await visitor.send(HELLO)
        os.kill(stopped, signal.SIGTERM)
        os.kill(stopped, signal.SIGCONT)
        heads = [await visitor.reader.readuntil(b"\r\n\r\n") for visitor in visitors]
        assert {head.split(b" ")[1] for head in heads} <= {b"101", b"503"}


async def test_the_last_words_of_one_that_closes_its_side_at_once(gate: Gateway) -> None:
    """Failed with an end that was heard before what had been said, or behind its handshake only: no answer."""
    async with crowd(gate) as visitors, raw(gate) as last, raw(gate) as greeting:
        os.kill(gate.fleet.rt.children()[0], signal.SIGSTOP)
        for visitor in visitors:
            await visitor.send(HELLO)
        await last.send(request("GET /health HTTP/1.1"))
        last.writer.write_eof()
        await greeting.send(HELLO)
        greeting.writer.write_eof()
        os.kill(gate.fleet.rt.children()[0], signal.SIGCONT)
        assert (await last.rest()).startswith(b"HTTP/1.1 200 ")
        assert b'"welcome"' in await greeting.rest()


async def test_whoever_takes_a_socket_over_hears_what_else_is_said(gate: Gateway) -> None:
    """Of a head that came in two reads while others were served, and of a client that closed its side at once; on the
    path of each wire. Failed with a client of GraphQL whose socket nobody read any more."""
    halves = [(request(f"GET {path} HTTP/1.1"), said) for path, said in SPOKEN.items()]
    async with crowd(gate) as visitors, AsyncExitStack() as stack:
        late = [await stack.enter_async_context(raw(gate)) for _ in halves]
        ended = [await stack.enter_async_context(raw(gate)) for _ in halves]
        os.kill(gate.fleet.rt.children()[0], signal.SIGSTOP)
        for visitor in visitors:
            await visitor.send(HELLO)
        for one, gone, (head, said) in zip(late, ended, halves, strict=True):
            await one.send(head[:40])
            await gone.send(head + frame(0x81, said))
            gone.writer.write_eof()
        os.kill(gate.fleet.rt.children()[0], signal.SIGCONT)
        await opened(visitors[VISITORS // 8])
        for one, (head, _) in zip(late, halves, strict=True):
            await one.send(head[40:])
        for one, gone, (_, said) in zip(late, ended, halves, strict=True):
            await opened(one)
            await one.send(frame(0x81, said))
            assert WELCOMED.search((await one.next_frame())[1])
            assert WELCOMED.search(await gone.rest())


async def test_what_is_said_behind_a_connect_that_waits_for_a_key(gate: Gateway) -> None:
    """By either protocol. Failed while it was judged at once: 4501 for a subscription ahead of the welcome."""
    channel = app_channel("open", "behind")
    await gate.feeds.make(channel)
    fresh = Mint("test-behind")
    both = json.dumps({"keys": json.loads(gate.mint.jwks)["keys"] + json.loads(fresh.jwks)["keys"]})
    dashboard = user_channel("u6")
    await gate.feeds.make(dashboard)
    async with gate.socket() as talk, graphql_ws.opened(gate) as other:
        await gate.feeds.redis.set("auth:jwks", both)  # the gateway looks for it when it is named
        await talk.say("connect", token=fresh.access("u6"))
        await talk.say("subscribe", channel=channel.wire)
        await talk.say("ping", id="last")
        await other.say("connection_init", payload={"authorization": f"Bearer {fresh.access('u6')}"})
        await other.subscribe("1", "subscription { dashboard { id } }", {"since": {"epoch": "other", "offset": 9}})
        assert (await talk.hear())["type"] == "welcome"
        assert {(await talk.hear())["type"], (await talk.hear())["type"]} == {"subscribed", "pong"}
        assert await other.hear() == {"type": "connection_ack"}
        assert (await other.hear())["payload"]["extensions"]["gap"]["to"] == {"epoch": EPOCH, "offset": 0}


@asynccontextmanager
async def crowd(gate: Gateway) -> AsyncIterator[list[Raw]]:
    """Sockets that were accepted and have said nothing."""
    async with AsyncExitStack() as stack:
        visitors = [await stack.enter_async_context(raw(gate)) for _ in range(VISITORS)]
        async with raw(gate) as last:  # accepted after them
            await last.send(HELLO)
            await opened(last)
        yield visitors


async def opened(visitor: Raw) -> None:
    async with asyncio.timeout(20):
        assert (await visitor.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
