"""One crowd, one feed: CPU per delivery, memory per connection and latency of this gateway and of its peers.

The server stands alone on one core; crowd, publisher and Redis share the other. The gateway speaks its full
protocol: signed-in clients with presence and a viewport; a peer only broadcasts.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.embedded.ports import free_port
from loadtest.bench import host
from loadtest.bench.identity import Identity

SUBPROTOCOL = "musclemap.v1"


@dataclass(frozen=True, slots=True)
class Load:
    """How many clients, how many events at what rate (1/s) and size (bytes of an event)."""

    clients: int
    events: int
    rate: float
    size: int = 150


@dataclass(frozen=True, slots=True)
class Server:
    """How a server of the comparison is started and spoken to; `{port}` and `{redis}` in `command` are filled in."""

    name: str
    command: Sequence[str]
    publish: Sequence[str]
    path: str = "/"
    subprotocol: str = ""
    stream: bool = False  # of server-sent events, no WebSocket
    ready: str = "HTTP/1.1 101"
    environment: Mapping[str, str] | None = None
    firsts: Sequence[str] = ()
    port: int | None = None  # where its configuration fixes it
    prepare: Sequence[str] = ()  # run once before the crowd comes


def gateway(identity: Identity, clients: int) -> Server:
    """This product's gateway with one process for sockets, each client signed in, on the map and in one feed."""
    firsts = []
    for number in range(clients):
        lat, lng = 40 + number % 100 / 10, number // 100 / 10
        messages: list[dict[str, Any]] = [
            {"type": "connect", "token": identity.access_token(number)},
            {"type": "heartbeat", "lat": lat, "lng": lng, "status": "training"},
            {"type": "viewport", "west": -10, "south": 35, "east": 30, "north": 60, "zoom": 4},
            {"type": "subscribe", "channel": "app:bench:main"},
        ]
        firsts.append(json.dumps([json.dumps(message) for message in messages]))
    return Server(
        name="musclemap gateway",
        command=(sys.executable, "-m", "rt"),
        publish=(sys.executable, "-m", "loadtest.publish", "{events}", "{rate}", "{size}"),
        prepare=(sys.executable, "-m", "loadtest.publish", "0", "1", "1"),
        path="/ws",
        subprotocol=SUBPROTOCOL,
        ready='"type":"subscribed"',
        environment={
            "RT_PROCESSES": "1",
            "RT_OPEN_NAMESPACES": "bench",
            "JWT_PUBLIC_KEYS": identity.jwks,
            "RT_DRAIN_S": "1",
            "LOG_LEVEL": "warning",
        },
        firsts=firsts,
    )


async def run(server: Server, load: Load, redis_url: str) -> dict[str, Any]:
    """Starts the server, opens the crowd, publishes, and answers the row of the table."""
    port = server.port or free_port()
    filled = {"port": str(port), "redis": redis_url}
    environment = {"RT_PORT": str(port), "REDIS_URL": redis_url, **(server.environment or {})}
    command = [word.format(**filled) for word in server.command]
    with _firsts_file(server) as first:
        async with host.process(command, host.SERVER_CORE, environment) as child:
            await host.listening(port)
            if server.prepare:
                async with host.process(server.prepare, host.CROWD_CORE, {"REDIS_URL": redis_url}) as preparing:
                    await preparing.wait()
            await asyncio.sleep(1.0)  # let start-up work end, so that it is not charged to the clients
            return {"server": server.name, **await _measure(server, load, child.pid, port, first, filled)}


@contextlib.contextmanager
def _firsts_file(server: Server) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("\n".join(server.firsts))
        file.flush()
        yield Path(file.name)


async def _measure(
    server: Server, load: Load, pid: int, port: int, first: Path, filled: Mapping[str, str]
) -> dict[str, Any]:
    idle_kib, idle_cpu = host.pss_kib(pid), host.cpu_s(pid)
    wait_s = load.events / load.rate + 30
    crowd_command = [sys.executable, "-m", "loadtest.crowd", str(port), str(load.clients), str(load.events)]
    crowd_command += ["--path", server.path, "--subprotocol", server.subprotocol, "--ready", server.ready]
    # An address of its own for each run: the ports of the run before rest for a minute.
    crowd_command += ["--source", f"127.1.{pid >> 8 & 127}.{pid & 255 or 1}"]
    crowd_command += ["--stream"] if server.stream else []
    crowd_command += ["--wait-s", str(wait_s), *(["--first", str(first)] if server.firsts else [])]
    async with host.process(crowd_command, host.CROWD_CORE, output=asyncio.subprocess.PIPE) as crowd:
        if crowd.stdout is None:
            raise RuntimeError("the crowd was started without a pipe")
        opened = json.loads(await asyncio.wait_for(crowd.stdout.readline(), 90))
        await asyncio.sleep(1.5)
        open_kib, open_cpu = host.pss_kib(pid), host.cpu_s(pid)
        values = {**filled, "events": str(load.events), "rate": str(load.rate), "size": str(load.size)}
        publish = [word.format(**values) for word in server.publish]
        started = time.monotonic()
        async with host.process(publish, host.CROWD_CORE, {"REDIS_URL": filled["redis"]}) as publisher:
            await publisher.wait()
            done = json.loads(await asyncio.wait_for(crowd.stdout.readline(), wait_s + 30))
        took_s = time.monotonic() - started
        used = host.cpu_s(pid) - open_cpu
    return {
        "clients": opened["open"],
        "events_per_s": load.rate,
        "connect_cpu_us": round((open_cpu - idle_cpu) / load.clients * 1e6),
        "kib_per_connection": round((open_kib - idle_kib) / load.clients, 2),
        "cpu_us_per_delivery": round(used / max(1, done["deliveries"]) * 1e6, 2),
        "core_pct": round(used / max(1.0, done["heard_s"]) * 100),
        "complete": done["complete"],
        "took_s": round(took_s, 1),
        "p50_ms": done["p50_ms"],
        "p99_ms": done["p99_ms"],
    }
