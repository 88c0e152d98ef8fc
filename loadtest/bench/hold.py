"""Very many clients held at once on this machine, themselves included: who is delivered to, how late, and who is lost.

Every client is signed in, heartbeats, and is in one feed that gets an event now and then. Nobody is pinned to a core.
False offline is how many fewer than all were online, by the keeper's own count, at the worst moment after it had once
counted everybody; `counted_s` is how long that took when the last of them was in. `p50_ms` and `p99_ms` are those of
the slowest crowd, from 64 of its clients.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config.embedded.ports import free_port
from config.redis import RedisClient, connect
from loadtest.bench import host
from loadtest.bench.fanout import SUBPROTOCOL, gateway
from loadtest.bench.identity import Identity
from rt.map.read import totals

CLIENTS_PER_CROWD: Final = 12_500
CROWDS_AT_ONCE: Final = 3  # that are being opened: one alone leaves the machine idle now and then
OPEN_S_MAX: Final = 300  # of one crowd
COUNTED_WITHIN_S: Final = 120.0  # after the crowd is open the keeper has this long to count everybody


@dataclass(frozen=True, slots=True)
class Hold:
    """How many clients, in how many gateway processes, their pace, and the events."""

    clients: int
    processes: int
    beat_s: float
    events: int
    rate: float
    background: bool = False
    open_s: float = 600  # then no new crowd begins, and it goes on with those that are open


HUNDRED_THOUSAND: Final = Hold(100_000, 8, beat_s=30, events=60, rate=1)
MILLION: Final = Hold(1_000_000, 64, beat_s=120, events=3, rate=1 / 60, background=True, open_s=1_200)


async def bench_100k(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """100,000 clients, a heartbeat each 30 s, an event a second."""
    return [await run(HUNDRED_THOUSAND, environment["REDIS_URL"])]


async def bench_1m(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """1,000,000 clients in the background, an event a minute; says how far it came where that is not all the way."""
    return [await run(MILLION, environment["REDIS_URL"])]


async def run(hold: Hold, redis_url: str) -> dict[str, Any]:
    """Opens, holds, counts; the row of the table."""
    identity = Identity()
    port = free_port()
    server = gateway(identity, 0)
    settings = {**(server.environment or {}), "RT_PORT": str(port), "REDIS_URL": redis_url}
    settings["RT_PROCESSES"] = str(hold.processes)
    redis = connect(redis_url)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(redis.aclose)
        child = await stack.enter_async_context(host.process(server.command, None, settings))
        await host.listening(port, 60)
        async with host.process(server.prepare, None, {"REDIS_URL": redis_url}) as preparing:
            await preparing.wait()
        idle_kib, idle_cpu = host.pss_kib(child.pid), host.cpu_s(child.pid)
        began = time.monotonic()
        crowds, opened = await _open(stack, hold, identity, port)
        took_s = time.monotonic() - began
        counted_s = await _all_counted(redis, opened)
        kib = (host.pss_kib(child.pid) - idle_kib) / max(1, opened)
        connect_us = (host.cpu_s(child.pid) - idle_cpu) / max(1, opened) * 1e6
        figures = await _events(hold, crowds, redis, redis_url, opened)
    return {
        "clients": opened,
        "wanted": hold.clients,
        "gateway_processes": hold.processes,
        "open_s": round(took_s),
        "counted_s": round(counted_s, 1),
        "connect_us": round(connect_us),
        "kib_per_connection": round(kib, 2),
        **figures,
    }


async def _open(
    stack: contextlib.AsyncExitStack, hold: Hold, identity: Identity, port: int
) -> tuple[list[asyncio.subprocess.Process], int]:
    """A few crowds at a time, until all are open, one cannot be, or `open_s` is over: the crowds, and their clients."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hold-")))
    crowds: list[asyncio.subprocess.Process] = []
    ends = time.monotonic() + hold.open_s
    gate, opened, is_full = asyncio.Semaphore(CROWDS_AT_ONCE), 0, False

    async def open_one(number: int, people: range) -> None:
        nonlocal opened, is_full
        async with gate:
            if is_full or time.monotonic() > ends:
                return
            messages = folder / str(number)
            await asyncio.to_thread(_write_firsts, messages, identity, people, hold.background)
            command = _crowd(hold, port, len(people), messages, number)
            crowd = await stack.enter_async_context(host.process(command, None, output=asyncio.subprocess.PIPE))
            line = await crowd.stdout.readline() if crowd.stdout is not None else b""
            if not line:
                is_full = True
                print(f"hold: crowd {number} could not open: this is how far it goes", file=sys.stderr)
                return
            crowds.append(crowd)
            opened += json.loads(line)["open"]
            print(f"hold: {opened} clients", file=sys.stderr)

    parts = range(0, hold.clients, CLIENTS_PER_CROWD)
    people = [range(first, min(first + CLIENTS_PER_CROWD, hold.clients)) for first in parts]
    await asyncio.gather(*(open_one(number, some) for number, some in enumerate(people)))
    return crowds, opened


def _crowd(hold: Hold, port: int, size: int, messages: Path, number: int) -> Sequence[str]:
    command = [sys.executable, "-m", "loadtest.crowd", str(port), str(size), str(hold.events)]
    command += ["--path", "/ws", "--subprotocol", SUBPROTOCOL, "--ready", '"type":"subscribed"', "--first"]
    command += [str(messages), "--source", f"127.0.{1 + number // 250}.{1 + number % 250}"]
    # The first crowd listens while the last one opens, which began within `open_s` and may take its time.
    wait_s = hold.open_s + OPEN_S_MAX + COUNTED_WITHIN_S + hold.events / hold.rate + 120
    return [*command, "--beat-s", str(hold.beat_s), "--open-s", str(OPEN_S_MAX), "--wait-s", str(wait_s)]


def _write_firsts(path: Path, identity: Identity, numbers: range, background: bool) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in numbers:
            messages: list[dict[str, Any]] = [
                {"type": "connect", "token": identity.access_token(number, 7200), "background": background},
                {"type": "subscribe", "channel": "app:bench:main"},
            ]
            file.write(json.dumps([json.dumps(message) for message in messages]) + "\n")


async def _all_counted(redis: RedisClient, people: int) -> float:
    """Seconds until the keeper has counted everybody, at most COUNTED_WITHIN_S."""
    began = time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(COUNTED_WITHIN_S):
            while True:
                if (await totals(redis)).users >= people:
                    break
                await asyncio.sleep(0.2)
    return time.monotonic() - began


async def _events(
    hold: Hold, crowds: Sequence[asyncio.subprocess.Process], redis: RedisClient, redis_url: str, people: int
) -> dict[str, Any]:
    fewest, publisher_ended = people, asyncio.Event()

    async def count() -> None:
        nonlocal fewest
        while not publisher_ended.is_set():
            fewest = min(fewest, (await totals(redis)).users)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(publisher_ended.wait(), 1)

    counting = asyncio.ensure_future(count())
    publish = (sys.executable, "-m", "loadtest.publish", str(hold.events), str(hold.rate), "150")
    async with host.process(publish, None, {"REDIS_URL": redis_url}) as publisher:
        await publisher.wait()
    publisher_ended.set()
    await counting
    done = []
    for crowd in crowds:
        if crowd.stdout is not None:
            with contextlib.suppress(TimeoutError):
                done.append(json.loads(await asyncio.wait_for(crowd.stdout.readline(), 60) or b"{}"))
    return {
        "events": hold.events,
        "delivered": sum(row.get("deliveries", 0) for row in done),
        "complete": len(done) == len(crowds) and all(row.get("complete") for row in done),
        "closed": sum(row.get("closed", 0) for row in done),
        "p50_ms": max((row.get("p50_ms", 0.0) for row in done), default=0.0),
        "p99_ms": max((row.get("p99_ms", 0.0) for row in done), default=0.0),
        "false_offline": people - fewest,
    }
