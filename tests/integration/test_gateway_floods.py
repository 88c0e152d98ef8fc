"""Frames that carry nothing are paid for: others are answered meanwhile, and the flood ends by the rate."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from config.limits import MESSAGES_BURST
from tests.support.gateway import Gateway
from tests.support.processes import get_status
from tests.support.raw import Raw, frame, welcomed

EMPTY_GOES_ON = frame(0x00)
ONCE = 200_000  # bytes that are sent without waiting


async def press(talk: Raw, data: bytes) -> None:
    """Sends for as long as it is taken."""
    while True:
        await talk.send(data)
        await asyncio.sleep(0)


@pytest.mark.alone
@pytest.mark.parametrize("one", [frame(0x00), frame(0x00, b" "), frame(0x89), frame(0x8A)])
async def test_one_that_floods_holds_nobody_up(gate: Gateway, one: bytes) -> None:
    """40,000 frames in one go, again and again. Failed with continuations: 27 s without an answer from /health; with
    pings and pongs: 0.4 s and more each."""
    async with AsyncExitStack() as stack:
        talk = await stack.enter_async_context(welcomed(gate))
        await talk.send(frame(0x01, b"{"))
        pressing = asyncio.ensure_future(press(talk, one * (ONCE // len(one))))
        try:
            await asyncio.sleep(0.3)  # the flood has arrived
            worst = []
            for _ in range(5):
                began = time.monotonic()
                assert await get_status(gate.fleet.rt.port, "/health") == 200
                worst.append(time.monotonic() - began)
            assert sorted(worst)[2] < 0.2, worst
        finally:
            pressing.cancel()
            await asyncio.wait([pressing])
            talk.writer.transport.abort()


async def test_fragments_over_the_rate_lose_their_message_and_no_other(gate: Gateway) -> None:
    """It is said once. Failed: fragments were not counted, and the message was answered."""
    async with welcomed(gate) as talk:
        ping = b'{"type":"ping","id":1}'
        many = frame(0x01, ping) + EMPTY_GOES_ON * (MESSAGES_BURST * 2) + frame(0x80)
        await talk.send(many)
        _, refusal = await talk.next_frame()
        assert b'"RATE_LIMITED"' in refusal
        await asyncio.sleep(1.1)  # what was sent since is read, and the budget is there again
        await talk.send(frame(0x81, b'{"type":"ping","id":2}'))
        assert (await talk.next_frame())[1] == b'{"type":"pong","id":2}'
