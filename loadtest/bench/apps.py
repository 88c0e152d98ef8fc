"""How fast other apps publish: batches of 100 over HTTP, through outbox and relay, to a client of the gateway.

Rows: one app on one connection; four apps, each on its own, as fast as they may, and at RATE events a second. CPU is of
each process by itself, in µs an event; everything shares this machine.
"""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import asyncpg
import orjson
from websockets.asyncio.client import connect as connect_socket

from api.apps.__main__ import done, parser
from config.embedded.ports import HOST, free_port
from config.redis import connect
from config.settings import Settings
from loadtest.bench import host
from loadtest.bench.ledger import parent_of

BATCH: Final = 100
RATE: Final = 10_000
APPS: Final = 4
CHANNELS: Final = 4  # of each app
SECONDS: Final = 8.0
DATA: Final = {"choice": "soup", "totals": {"soup": 120, "salad": 80, "bread": 7}, "by": "somebody"}


class App(NamedTuple):
    """A namespace, and what its backend sends with each request."""

    name: str
    key: str


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each load."""
    ports = {role: free_port() for role in ("api", "rt", "worker")}
    env = {
        **environment,
        **{f"{role.upper()}_PORT": str(port) for role, port in ports.items()},
        "RT_PROCESSES": "1",
        "LOG_LEVEL": "error",
    }
    settings = Settings(database_url=environment["DATABASE_URL"], redis_url=environment["REDIS_URL"])
    apps = [await _made(settings, f"bench{number}") for number in range(APPS)]
    async with (
        host.process((sys.executable, "-m", "api"), None, env) as api,
        host.process((sys.executable, "-m", "worker"), None, env) as worker,
        host.process((sys.executable, "-m", "rt"), None, env) as rt,
    ):
        await asyncio.gather(*(host.listening(port) for port in ports.values()))
        pids = {"api": api.pid, "worker": worker.pid, "rt": rt.pid, **await stores_of(environment)}
        load = _Load(ports, pids)
        await load.row("warm up", apps, None, 2.0)
        return [
            await load.row("one app, one connection", apps[:1], None, SECONDS),
            await load.row(f"{APPS} apps", apps, None, SECONDS),
            await load.row(f"{APPS} apps, {RATE:,} events/s", apps, RATE, SECONDS),
        ]


class _Load:
    """The ports and processes under load; each row publishes ids of its own."""

    def __init__(self, ports: Mapping[str, int], pids: Mapping[str, int]) -> None:
        self._ports = ports
        self._pids = pids
        self._rows = 0

    async def row(self, name: str, apps: Sequence[App], rate: float | None, seconds: float) -> dict[str, Any]:
        """Publishes for so long, then waits until a client has heard the last event of its channel."""
        self._rows += 1
        async with connect_socket(f"ws://{HOST}:{self._ports['rt']}/ws", proxy=None, max_size=None) as socket:
            await socket.send('{"type":"connect"}')
            await socket.recv()
            channel = f"app:{apps[0].name}:c0"
            while True:  # the gateway may not know yet that it is open
                await socket.send(orjson.dumps({"type": "subscribe", "channel": channel}).decode())
                if orjson.loads(await socket.recv())["type"] == "subscribed":
                    break
                await asyncio.sleep(1)
            hearing = asyncio.create_task(self._hear(socket))
            before = {role: host.cpu_s(pid) for role, pid in self._pids.items()}
            began = time.monotonic()
            each = None if rate is None else rate / len(apps)
            sent = await asyncio.gather(*(self._publish(app, each, began, began + seconds) for app in apps))
            took = time.monotonic() - began
            last, late_ms = await asyncio.wait_for(hearing, 120)
            through = time.monotonic() - began
            cpu = {role: host.cpu_s(pid) - before[role] for role, pid in self._pids.items()}
        events = sum(sent)
        return {
            "load": name,
            "events_per_s": round(events / took),
            "through_per_s": round(events / through),
            "heard": last,
            "p50_ms": round(sorted(late_ms)[len(late_ms) // 2], 1),
            "max_ms": round(max(late_ms), 1),
            **{f"{role}_us": round(used / events * 1e6, 1) for role, used in cpu.items()},
        }

    async def _publish(self, app: App, rate: float | None, began: float, until: float) -> int:
        reader, writer = await asyncio.open_connection(HOST, self._ports["api"])
        sent = batch = 0
        while time.monotonic() < until:
            await _send(reader, writer, self._ports["api"], app, self._batch(batch))
            batch += 1
            sent += BATCH
            if rate is not None:
                await asyncio.sleep(max(0.0, began + sent / rate - time.monotonic()))
        for channel in range(CHANNELS):  # the last of each channel says so
            event = {"channel": f"c{channel}", "id": f"{self._rows}-end-{channel}", "type": "end", "data": {}}
            await _send(reader, writer, self._ports["api"], app, [event])
        writer.close()
        return sent

    def _batch(self, number: int) -> list[dict[str, Any]]:
        data = {**DATA, "at": time.time()}
        return [
            {"channel": f"c{n % CHANNELS}", "id": f"{self._rows}-{number}-{n}", "type": "vote", "data": data}
            for n in range(BATCH)
        ]

    async def _hear(self, socket: Any) -> tuple[int, list[float]]:
        late_ms: list[float] = []
        while True:
            message = orjson.loads(await socket.recv())
            if message["type"] != "event":
                continue
            if message["event"]["type"] == "end":
                return len(late_ms), late_ms
            late_ms.append((time.time() - message["event"]["data"]["at"]) * 1000)


async def _send(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, app: App, events: list[dict[str, Any]]
) -> None:
    body = orjson.dumps({"events": events})
    head = (
        f"POST /api/v1/apps/{app.name}/events HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {app.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    while True:
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        said = await reader.readexactly(int(answer.partition("content-length: ")[2].partition("\r\n")[0]))
        status = answer.split()[1]
        if status == "202":
            return
        if status not in ("429", "503"):
            raise ValueError(f"{status}: {said.decode()[:200]}")
        await asyncio.sleep(0.1)


async def _made(settings: Settings, name: str) -> App:
    key = (await done(settings, parser().parse_args(["create", name]))).splitlines()[-1]
    await done(settings, parser().parse_args(["set", name, "--open", "--rate", "100000"]))
    return App(name, key)


async def stores_of(environment: Mapping[str, str]) -> dict[str, int]:
    """PostgreSQL's first process is the parent of each connection's."""
    connection = await asyncpg.connect(environment["DATABASE_URL"])
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    postgres = parent_of(backend)
    await connection.close()
    async with connect(environment["REDIS_URL"]) as redis:
        return {"postgres": postgres, "redis": await host.redis_pid(redis)}
