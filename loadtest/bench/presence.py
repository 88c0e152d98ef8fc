"""How wrong presence is when things break: seconds that ghosts stay, people who were called offline and were not.

Two gateways as an operator starts them, a crowd of signed-in people on each, and a watcher on the bus that hears
every announcement their followers would. A ghost's time runs from its true end to the announcement; false offline is
an announcement of somebody whose client lives. The last row is the write-back of what a gateway remembers into a
Redis that was wiped. Empties the Redis that it is given.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final

from config.embedded.ports import free_port
from config.limits import PRESENCE_TTL_S
from config.redis import RedisClient, connect
from loadtest.bench import host
from loadtest.bench.identity import Identity
from loadtest.bench.person import Person, arrive
from loadtest.crowd import client_frame
from rt.presence.local import PRESENCE_WRITE_BACK_PER_S, LocalPresence
from rt.presence.store import PresenceStore, partition_keys
from rt.presence.training import TrainingStore

PEOPLE: Final = 300
WRITE_BACK: Final = 100_000
PARTITIONS: Final = 16
HEARTBEAT: Final = client_frame(b'{"type":"heartbeat","lat":52.5,"lng":13.4,"status":"training"}')
BEAT_EVERY_S: Final = 10.0
_WELCOME: Final = b'"type":"welcome"'
Rows = list[dict[str, Any]]


class Watcher:
    """Every announcement on the bus, with the time at which it was heard."""

    def __init__(self) -> None:
        self.offline: dict[str, float] = {}
        self.announced: Counter[str] = Counter()

    async def heard(self, users: Sequence[str]) -> None:
        """Returns when all of them were announced."""
        while True:
            if self.offline.keys() >= set(users):
                return
            await asyncio.sleep(0.05)

    async def run(self, redis: RedisClient) -> None:
        """Listens, until cancelled."""
        async with redis.pubsub() as pubsub:
            await pubsub.psubscribe("rt:{musclemap:profile:*")
            async for message in pubsub.listen():
                words = message["data"].split() if message["type"] == "pmessage" else []
                if words[:1] == [b"presence"] and words[2] == b"offline":
                    user = words[1].decode()
                    self.offline.setdefault(user, time.monotonic())
                    self.announced[user] += 1


class People:
    """Some signed-in people on one gateway; the n-th is `identity.user_id(first + n)`."""

    def __init__(self, identity: Identity, port: int, first: int) -> None:
        self.users = [identity.user_id(first + number) for number in range(PEOPLE)]
        tokens = [identity.access_token(first + number) for number in range(PEOPLE)]
        connects = [client_frame(json.dumps({"type": "connect", "token": token}).encode()) for token in tokens]
        self._firsts = [frame + HEARTBEAT for frame in connects]
        self._port = port
        self._crowd: list[Person] = []

    async def arrive(self) -> None:
        self._crowd = list(await asyncio.gather(*(arrive(self._port, first, _WELCOME) for first in self._firsts)))

    async def live(self) -> None:
        """Heartbeats, until cancelled."""
        while True:
            await asyncio.sleep(BEAT_EVERY_S)
            for person in self._crowd:
                person.transport.write(HEARTBEAT)

    def fall_silent(self) -> None:
        """Answers no ping any more."""
        for person in self._crowd:
            person.alive = False

    def cut(self) -> None:
        """Ends all connections, without a word."""
        for person in self._crowd:
            person.transport.abort()


async def run(environment: Mapping[str, str]) -> Rows:
    """A row per fault."""
    redis_url = environment["REDIS_URL"]
    redis = connect(redis_url)
    try:
        rows = [
            await _fault("gateway killed -9", redis_url, redis, _kill, within_s=20),
            await _fault("connections cut", redis_url, redis, _cut, within_s=30),
            await _fault("silence (cable out)", redis_url, redis, _silence, within_s=100),
            await _fault("Redis wiped", redis_url, redis, _wipe, within_s=0),
            await _write_back(redis),
        ]
        await redis.flushall()
        return rows
    finally:
        await redis.aclose()


class _Scene:
    """What a fault can break."""

    def __init__(self, redis: RedisClient, first: People, first_pid: int, beats: asyncio.Task[None]) -> None:
        self.redis = redis
        self.first = first
        self.first_pid = first_pid
        self.beats = beats


async def _kill(scene: _Scene) -> bool:
    for pid in host.family(scene.first_pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return True


async def _cut(scene: _Scene) -> bool:
    scene.first.cut()
    return True


async def _silence(scene: _Scene) -> bool:
    scene.beats.cancel()
    scene.first.fall_silent()
    return True


async def _wipe(scene: _Scene) -> bool:
    """Nobody ends: everybody must be back, and nobody announced."""
    await scene.redis.flushall()
    await _until_online(scene.redis, 2 * PEOPLE)
    await asyncio.sleep(20)
    return False


async def _fault(name: str, redis_url: str, redis: RedisClient, fault: Any, *, within_s: float) -> dict[str, Any]:
    print(f"presence: {name}", file=sys.stderr)
    await redis.flushall()
    identity, watcher = Identity(), Watcher()
    async with AsyncExitStack() as stack:
        watching = asyncio.create_task(watcher.run(redis))
        stack.callback(watching.cancel)
        ports, pids = [], []
        for _ in range(2):
            port, pid = await stack.enter_async_context(_gateway(redis_url, identity))
            ports.append(port)
            pids.append(pid)
        first, second = People(identity, ports[0], 0), People(identity, ports[1], PEOPLE)
        tasks = []
        for people in (first, second):
            await people.arrive()
            tasks.append(asyncio.create_task(people.live()))
            stack.callback(tasks[-1].cancel)
            stack.callback(people.cut)
        await _until_online(redis, 2 * PEOPLE)
        began = time.monotonic()
        ended = await fault(_Scene(redis, first, pids[0], tasks[0]))
        gone = first.users if ended else []
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await watcher.heard(gone)
        await asyncio.sleep(3)  # a second announcement would come now
    ghosts = sorted(watcher.offline[user] - began for user in gone if user in watcher.offline)
    return {
        "fault": name,
        "people": 2 * PEOPLE,
        "ended": len(gone),
        "announced": len(ghosts),
        "announced_twice": sum(count > 1 for count in watcher.announced.values()),
        "ghost_p50_s": round(ghosts[len(ghosts) // 2], 1) if ghosts else None,
        "ghost_p99_s": round(ghosts[int(len(ghosts) * 0.99)], 1) if ghosts else None,
        "false_offline": len(watcher.offline.keys() - set(gone)),
    }


@asynccontextmanager
async def _gateway(redis_url: str, identity: Identity) -> AsyncIterator[tuple[int, int]]:
    """One gateway; its port and the id of its supervisor."""
    port = free_port()
    environment = {
        "REDIS_URL": redis_url,
        "RT_PORT": str(port),
        "RT_PROCESSES": "1",
        "JWT_PUBLIC_KEYS": identity.jwks,
        "RT_DRAIN_S": "1",
        "LOG_LEVEL": "error",
        "PRESENCE_PARTITIONS": str(PARTITIONS),
    }
    async with host.process((sys.executable, "-m", "rt"), host.SERVER_CORE, environment) as child:
        await host.listening(port)
        yield port, child.pid


async def _write_back(redis: RedisClient) -> dict[str, Any]:
    """One gateway's memory of WRITE_BACK people into an empty Redis, by the flusher that serves."""
    print("presence: write-back", file=sys.stderr)
    await redis.flushall()
    local = LocalPresence(PresenceStore(redis, "bench", PARTITIONS), TrainingStore(redis, PARTITIONS))
    await local.turn()
    for number in range(WRITE_BACK):
        local.join(f"c{number}", f"user-{number}", audience="everyone", settled=True, ttl_s=PRESENCE_TTL_S)
    stopping = asyncio.Event()
    task = asyncio.create_task(local.run(stopping))
    try:
        await _until_online(redis, WRITE_BACK)
        await redis.flushall()
        began = time.monotonic()
        await _until_online(redis, WRITE_BACK)
        took_s = time.monotonic() - began
    finally:
        stopping.set()
        await task
    return {
        "fault": f"write-back, at most {PRESENCE_WRITE_BACK_PER_S} a second",
        "people": WRITE_BACK,
        "took_s": round(took_s, 1),
        "per_s": round(WRITE_BACK / took_s),
    }


async def _until_online(redis: RedisClient, people: int) -> None:
    async with asyncio.timeout(60):
        while True:
            if await online(redis) >= people:
                return
            await asyncio.sleep(0.05)


async def online(redis: Any) -> int:
    """People online by the counters of all partitions."""
    counts = [await redis.hget(partition_keys(number)[5], "users") for number in range(PARTITIONS)]
    return sum(int(count or 0) for count in counts)
