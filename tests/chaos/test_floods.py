"""Twenty sockets that flood in every way at once: the others hear what they asked for, and are asked nothing for it."""

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.flood import KINDS
from tests.support.gateway import Gateway, Talk, gateway
from tests.support.processes import get_status

SOCKETS = 20
SECONDS = 13.0  # the rate ends a flood after ten
OTHERS = 6

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]


@pytest.fixture
async def gate(redis_url: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway of its own: its loop gap is of the last minute."""
    async with gateway(redis_url, tmp_path) as running:
        yield running


def loop_gap_ms(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("rt_loop_gap_max_ms "))


async def listen(gate: Gateway, seconds: float) -> tuple[list[float], list[float]]:
    """Seconds that pings of others took, and /health on new connections."""
    took: list[float] = []
    health: list[float] = []
    end = time.monotonic() + seconds

    async def ask(talk: Talk) -> None:
        while time.monotonic() < end:
            began = time.monotonic()
            assert (await talk.ask("ping"))["type"] == "pong"
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.05)

    async def look() -> None:
        while time.monotonic() < end:
            began = time.monotonic()
            assert await get_status(gate.fleet.rt.port, "/health") == 200
            health.append(time.monotonic() - began)
            await asyncio.sleep(0.05)

    async with AsyncExitStack() as stack:
        talks = [await stack.enter_async_context(gate.client()) for _ in range(OTHERS)]
        await asyncio.gather(*(ask(talk) for talk in talks), look())
    return took, health


def p99_ms(times: list[float]) -> float:
    return sorted(times)[len(times) * 99 // 100] * 1000


@pytest.mark.parametrize("kind", list(KINDS))
async def test_twenty_that_flood(gate: Gateway, kind: str) -> None:
    """Loop gap under 50 ms, /health under 200 ms, others' p99 within twice what it is beside the same processor load
    elsewhere. Failed before frames were read in turns: gaps of seconds with continuations, pings and texts."""
    port = gate.fleet.rt.port
    # What the flooders cost the machine is no fault of the gateway: alone, a process burns the same processor.
    burner = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
    try:
        alone, _ = await listen(gate, 4)
        gap_alone = loop_gap_ms(port)  # of the last minute: its start, and what the machine did to it
    finally:
        burner.kill()
        await burner.wait()
    flood = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.flood", str(port), kind, str(SOCKETS), str(SECONDS)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    beside, health = await listen(gate, SECONDS)
    printed, _ = await flood.communicate()
    ends = json.loads(printed)
    gap = loop_gap_ms(port)
    figures = f"p99 {p99_ms(alone):.1f} -> {p99_ms(beside):.1f} ms, /health at most {max(health) * 1000:.0f} ms"
    print(f"{SOCKETS} x {kind}: loop gap {gap_alone} -> {gap} ms, {figures}, ends {ends}")
    assert gap < 50 or gap == gap_alone
    assert max(health) < 0.2
    assert p99_ms(beside) < 2 * p99_ms(alone) + 5  # 5 ms: one look of the throttle
    if kind not in ("heads that never end", "half frames", "single bytes"):  # bytes that end few frames: slowed by TCP
        assert ends.get("4008", 0) >= SOCKETS / 2
        assert not ends.keys() - {"4008", "0"}
