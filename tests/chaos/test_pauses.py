"""A gateway that was stopped for over a minute, as on a machine that is moved or starved."""

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from config.limits import PAUSE_S, PING_AFTER_SILENCE_S, SILENT_CLOSE_S
from tests.support.gateway import gateway
from tests.support.raw import Raw, close_code, frame, welcomed
from tests.support.stores import TestStores

PEOPLE = 30
PAUSE_LASTS_S = SILENT_CLOSE_S + 5
SPOKEN_EVERY_S = 5
HEARTBEAT = frame(0x81, b'{"type":"heartbeat"}')
PING = frame(0x81, b'{"type":"ping","id":"still"}')

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]


async def test_whoever_spoke_during_a_pause_stays_and_the_silent_go(stores: TestStores, tmp_path: Path) -> None:
    """Thirty say something every five seconds, one nothing at all, before, during and after 65 s of SIGSTOP. Seen
    failing while silence was measured by a clock that does not stop: all thirty heard "silent too long"."""
    async with gateway(stores.redis_url, tmp_path) as gate, AsyncExitStack() as stack:
        people = [await stack.enter_async_context(welcomed(gate)) for _ in range(PEOPLE)]
        silent = await stack.enter_async_context(welcomed(gate))
        silent_since = time.monotonic()
        with gate.fleet.rt.paused():
            began = time.monotonic()
            while time.monotonic() - began < PAUSE_LASTS_S:
                await speak(people)
            paused_s = time.monotonic() - began
        ended = asyncio.ensure_future(silent.rest(2 * SILENT_CLOSE_S))
        while not ended.done():
            await speak(people)
        silent_s = time.monotonic() - silent_since - paused_s
        assert close_code(await ended) == 4004
        assert SILENT_CLOSE_S - PAUSE_S - 1 <= silent_s <= SILENT_CLOSE_S + PING_AFTER_SILENCE_S
        for person in people:
            await person.send(PING)
            assert json.loads((await person.next_frame())[1]) == {"type": "pong", "id": "still"}
    print(
        f"\nall {PEOPLE} stayed after {paused_s:.0f} s; who was silent was closed after {silent_s:.0f} s without these"
    )


async def speak(people: list[Raw]) -> None:
    """A word of everybody; then it is quiet for a while."""
    for person in people:
        await person.send(HEARTBEAT)
    await asyncio.sleep(SPOKEN_EVERY_S)
