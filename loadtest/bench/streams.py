"""What a stream of server-sent events costs beside a WebSocket that hears the same: both anonymous, on one channel.

The gateway is started anew for each, and has a core of its own (loadtest/bench/fanout.py says how it is measured).
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from config.redis import connect
from loadtest.bench import fanout, host, report
from loadtest.bench.fanout import Load, Server
from loadtest.bench.identity import Identity

CHANNEL: Final = "app:bench:main"
# A slow feed to many, where each delivery is a system call; a fast one, where several share it; and nothing but silence
# to the most.
LOADS: Final = (Load(4_000, 40, 10), Load(1_000, 4_000, 400), Load(12_000, 5, 1))
COMPARED: Final = {
    "kib_per_connection": "KiB, ours/its",
    "connect_cpu_us": "connect, ours/its",
    "cpu_us_per_delivery": "cpu, ours/its",
    "p99_ms": "p99, ours/its",
}


def _servers() -> tuple[Server, Server]:
    """The gateway to streams, and the same to sockets that say no more than they must."""
    gateway = fanout.gateway(Identity(), 0)
    stream = replace(
        gateway, name="stream", path=f"/api/v1/feed/stream?channel={CHANNEL}", subprotocol="", stream=True, ready="id: "
    )
    hello = [json.dumps(message) for message in ({"type": "connect"}, {"type": "subscribe", "channel": CHANNEL})]
    return stream, replace(gateway, name="WebSocket", firsts=(json.dumps(hello),))


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """A pair of rows for each load; the second has how many times as much the stream takes."""
    redis_url = environment["REDIS_URL"]
    rows: list[dict[str, Any]] = []
    redis = connect(redis_url)
    try:
        with host.moved((0, await host.redis_pid(redis)), host.CROWD_CORE):
            for load in LOADS:
                pair = []
                for server in _servers():
                    print(f"streams: {server.name}, {load.clients} clients, {load.rate:g} events/s", file=sys.stderr)
                    pair.append(await fanout.run(server, load, redis_url))
                rows += report.beside(pair, COMPARED)
    finally:
        await redis.aclose()
    return rows
