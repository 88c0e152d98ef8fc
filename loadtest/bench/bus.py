"""Hearing Pub/Sub: CPU a message of the gateway's own reader beside redis-py, 10,000 `user:` channels.

Each reader is a process of its own on one core that hears the same messages, published at a fixed rate by a third
process; what counts is the CPU time of the reader while it heard them.

python -m loadtest.bench.bus hear ours|redis-py REDIS_URL CHANNELS MESSAGES   (the reader)
python -m loadtest.bench.bus publish REDIS_URL CHANNELS MESSAGES RATE         (the publisher)
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

import uvloop
from redis import Redis as PlainRedis
from redis.asyncio import Redis

from config.redis import connect
from loadtest.bench import host
from rt.channels.bus import Bus
from rt.metrics import Counters
from rt.wire.bus import encode_batch
from rt.wire.channels import bus_channel, user_channel

CHANNELS: Final = 10_000
MESSAGES: Final = 250_000
RATE: Final = 50_000
WAIT_S: Final = 60.0
PIPELINE: Final = 100
BODY: Final = b'{"id":"0","v":1,"type":"workout_completed","created_at":"2026-01-01T00:00:00Z","actor":null,"data":{}}'


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each reader."""
    return [await _measure(kind, environment["REDIS_URL"]) for kind in ("ours", "redis-py")]


async def _measure(kind: str, redis_url: str) -> dict[str, Any]:
    module = (sys.executable, "-m", "loadtest.bench.bus")
    sizes = (str(CHANNELS), str(MESSAGES))
    reader = (*module, "hear", kind, redis_url, *sizes)
    async with host.process(reader, host.SERVER_CORE, output=asyncio.subprocess.PIPE) as hearing:
        if hearing.stdout is None:
            raise RuntimeError("the reader was started without a pipe")
        await asyncio.wait_for(hearing.stdout.readline(), WAIT_S)  # it has subscribed
        async with host.process((*module, "publish", redis_url, *sizes, str(RATE)), host.CROWD_CORE) as publishing:
            await publishing.wait()
        row: dict[str, Any] = json.loads(await asyncio.wait_for(hearing.stdout.readline(), WAIT_S))
    return row


async def _hear(kind: str, redis_url: str, channels: int, messages: int) -> None:
    names = [bus_channel(user_channel(str(number))) for number in range(channels)]
    heard = _Count(messages)
    task = asyncio.create_task(_ours(redis_url, names, heard) if kind == "ours" else _theirs(redis_url, names, heard))
    await heard.ready.wait()
    before = resource.getrusage(resource.RUSAGE_SELF)
    print("ready", flush=True)
    try:
        async with asyncio.timeout(WAIT_S):
            await heard.all.wait()
    except TimeoutError:
        pass
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    row = {"reader": kind, "heard": heard.count, "of": messages, "cpu_us_per_message": round(used / messages * 1e6, 2)}
    print(json.dumps(row), flush=True)
    task.cancel()


class _Count:
    def __init__(self, messages: int) -> None:
        self.count = 0
        self.messages = messages
        self.ready = asyncio.Event()
        self.all = asyncio.Event()

    def one(self, _payload: bytes) -> None:
        self.count += 1
        if self.count == self.messages:
            self.all.set()


async def _ours(redis_url: str, names: list[str], heard: _Count) -> None:
    async with connect(redis_url) as redis:
        bus = Bus(redis_url, redis, "bench", Counters())
        confirmed = 0

        def on_confirmed() -> None:
            nonlocal confirmed
            confirmed += 1
            if confirmed == len(names):
                heard.ready.set()

        for name in names:
            bus.subscribe(name, heard.one, on_confirmed)
        await bus.run(asyncio.Event())


async def _theirs(redis_url: str, names: list[str], heard: _Count) -> None:
    async with Redis.from_url(redis_url, protocol=2) as redis, redis.pubsub() as bus:
        for at in range(0, len(names), 500):
            await bus.subscribe(*names[at : at + 500])
        async for message in bus.listen():
            if message["type"] == "message":
                heard.one(message["data"])
            elif message["data"] == len(names):
                heard.ready.set()


def _publish(redis_url: str, channels: int, messages: int, rate: float) -> None:
    payloads = [encode_batch("bench", f"user:{number}", 1, [BODY]) for number in range(channels)]
    with PlainRedis.from_url(redis_url) as redis:
        started = time.perf_counter()
        for at in range(0, messages, PIPELINE):
            wait_s = started + at / rate - time.perf_counter()
            if wait_s > 0:
                time.sleep(wait_s)
            pipe = redis.pipeline(transaction=False)
            for number in range(at, min(messages, at + PIPELINE)):
                who = number * 7919 % channels
                pipe.execute_command("PUBLISH", bus_channel(user_channel(str(who))), payloads[who])
            pipe.execute()


if __name__ == "__main__":
    if sys.argv[1] == "hear":
        uvloop.run(_hear(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
    else:
        _publish(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
