"""npm's `graphql-ws` and `@apollo/client`, unchanged, through kills and drains of gateways: none lost, none twice."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rt.wire.channels import COMMUNITY
from tests.support.gateway import EPOCH, Gateway, gateway
from tests.support.graphql_ws import graphql_url, publish
from tests.support.node import PINS, node_with_packages

CLIENTS = 8
EVENTS = 240
RUN_S = 90.0


@asynccontextmanager
async def subscribers(gate: Gateway, clients: int, events: int) -> AsyncIterator[asyncio.StreamReader]:
    """What tests/npm/subscribers.mjs says; begins when all of its clients are connected."""
    node, modules = node_with_packages()
    words = [str(modules), graphql_url(gate), EPOCH, str(clients), str(events), gate.mint.access("u1")]
    process = await asyncio.create_subprocess_exec(
        node, str(PINS / "subscribers.mjs"), *words, stdout=asyncio.subprocess.PIPE, limit=1 << 20
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(RUN_S):
            assert json.loads(await process.stdout.readline()) == {"open": clients}
            yield process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def cut_while_publishing(gate: Gateway, events: int) -> None:
    """A few events at a time, as a relay publishes them; the processes with sockets are killed one after another, then
    the gateway is restarted as an operator does it."""

    async def cut() -> None:
        for _ in range(2):
            os.kill(gate.fleet.rt.children()[0], signal.SIGKILL)  # the oldest: the other one is the next
            await gate.fleet.rt.wait_ready()
        await gate.fleet.rt.stop()
        await gate.fleet.rt.start()

    cutting = asyncio.create_task(cut())
    bodies = gate.feeds.bodies[COMMUNITY]
    while len(bodies) < events:
        if len(bodies) < events - 30 or cutting.done():
            await publish(gate.feeds, COMMUNITY, 3)
        await asyncio.sleep(0.05)  # the pause between two batches; nothing waits for it
    await cutting


async def test_clients_lose_nothing_and_hear_nothing_twice(redis_url: str, tmp_path: Path) -> None:
    """Seen failing with the position of the event before, and with `since` not looked at."""
    async with gateway(redis_url, tmp_path, RT_PROCESSES="2", FEED_RATE="") as gate:
        await gate.feeds.make(COMMUNITY)
        await publish(gate.feeds, COMMUNITY, 30)
        async with subscribers(gate, CLIENTS, EVENTS) as said:
            await cut_while_publishing(gate, EVENTS)
            records: list[dict[str, Any]] = json.loads(await said.readline())["records"]
    assert {record["kind"] for record in records} == {"graphql-ws", "apollo"}
    for record in records:
        assert record["wrong"] == []
        assert record["gaps"] == 0
        assert record["offsets"] == list(range(1, EVENTS + 1))
        assert record["ids"] == [f"e{number}" for number in range(1, EVENTS + 1)]
    assert all(record["connects"] > 1 for record in records), "no socket was ever cut: this proved nothing"
