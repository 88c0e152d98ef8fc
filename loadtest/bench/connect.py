"""What a connect, a resume and a heartbeat cost the gateway, and how long its loop pauses while everybody is replaced.

One gateway process on a core of its own. CPU is what the kernel charged it (and Redis, by its own count) between two
moments, divided by what was done; a connect is handshake, token check, presence and one feed, and where the row says
so one viewport. Peers show what this machine takes for less: a bare handshake, and a message that nobody reads; of
Centrifugo also the whole connect: handshake, a JWT of the same kind or one with an HMAC, one subscription.
"""

import asyncio
import gc
import json
import re
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, Final

from config.embedded.ports import free_port
from config.redis import RedisClient, connect
from loadtest.bench import host, peers, report
from loadtest.bench.fanout import Server, gateway
from loadtest.bench.identity import Identity
from loadtest.bench.person import OURS, Person, arrive, handshake
from loadtest.crowd import client_frame
from rt.wire.bus import REVOKED_KEY, REVOKED_THROUGH

CLIENTS: Final = 4_000
BEATS: Final = 10  # of each client
SOCKETS: Final = 17_000  # of 20,000 files, the limit of small machines, loopback may have no more
AT_ONCE: Final = 50
REPLACED_PER_S: Final = 1_000
SETTLE_S: Final = 2.0
_GAP: Final = re.compile(r"^rt_loop_gap_max_ms\S* (\d+)", re.MULTILINE)

# Our row, the peer and its row beside it, and how many times as much ours may cost.
AIMS: Final = (
    ("a heartbeat", "Bun", "a message, dropped", 1.2),
    ("connect by resume ticket", "Centrifugo", "connect by HMAC token", 1.2),
    ("connect by token", "Centrifugo", "connect by HMAC token", 2.0),
)
_VIEWPORT: Final = b'{"type":"viewport","west":-10,"south":35,"east":30,"north":60,"zoom":4}'
_SUBSCRIBE: Final = b'{"type":"subscribe","channel":"app:bench:main"}'
_BEAT: Final = client_frame(b'{"type":"heartbeat","status":"training"}')
_CENTRIFUGO_PING: Final = client_frame(b'{"id":3,"rpc":{"method":"ping"}}')


class Visitors:
    """Opens clients of one server, a few at a time."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def one(self, first: bytes, mark: bytes) -> Person:
        """A client that says `first` behind its handshake, there when `mark` has come."""
        async with self._gate:
            return await arrive(self._port, first, mark, self._request)

    async def many(self, firsts: Sequence[bytes], mark: bytes) -> list[Person]:
        return list(await asyncio.gather(*(self.one(first, mark) for first in firsts)))


class People:
    """Opens clients of the gateway, a few at a time."""

    def __init__(self, port: int, *, looking: bool = True) -> None:
        self._visitors = Visitors(port, OURS)
        self._looks = (_VIEWPORT,) if looking else ()

    async def one(self, hello: Mapping[str, str]) -> Person:
        """A client that says `hello` in its `connect`."""
        messages = (json.dumps({"type": "connect", **hello}).encode(), *self._looks, _SUBSCRIBE)
        return await self._visitors.one(b"".join(map(client_frame, messages)), b'"type":"subscribed"')

    async def many(self, hellos: Sequence[Mapping[str, str]]) -> list[Person]:
        return list(await asyncio.gather(*(self.one(hello) for hello in hellos)))


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of the table; `environment` names REDIS_URL."""
    redis_url = environment["REDIS_URL"]
    redis = connect(redis_url)
    store: Any = redis
    try:
        # What the API would say: the list of revocations is whole, so tickets may be given.
        await store.zadd(REVOKED_KEY, {REVOKED_THROUGH: time.time()})
        with host.moved((0, await host.redis_pid(redis)), host.CROWD_CORE):
            rows = await _ours(redis_url, redis)
            for make in (peers.bun, peers.centrifugo, peers.ws, peers.websockets_serve):
                if server := make(redis_url):
                    rows += await _theirs(server, redis_url, redis)
    finally:
        await redis.aclose()
    return report.against(rows, AIMS, "cpu_us")


async def _ours(redis_url: str, redis: RedisClient) -> list[dict[str, Any]]:
    identity = Identity()
    port = free_port()
    server = gateway(identity, 0)
    settings = {**(server.environment or {}), "RT_PORT": str(port), "REDIS_URL": redis_url}
    async with host.process(server.command, host.SERVER_CORE, settings) as child:
        await host.listening(port)
        async with host.process(server.prepare, host.CROWD_CORE, {"REDIS_URL": redis_url}) as preparing:
            await preparing.wait()
        rows = await _price_connects(port, identity, Meter(server.name, host.family(child.pid)[1], redis))
        rows.append(await _replace_everybody(People(port), identity, port, redis_url))
    return rows


async def _theirs(server: Server, redis_url: str, redis: RedisClient) -> list[dict[str, Any]]:
    """A handshake without token, presence or feed, and a message that is read and dropped; Centrifugo: _whole."""
    print(f"connect: {server.name}", file=sys.stderr)
    port, identity = free_port(), Identity()
    filled = {"port": str(port), "redis": redis_url}
    settings = {**(server.environment or {}), "CENTRIFUGO_CLIENT_TOKEN_ECDSA_PUBLIC_KEY": identity.pem}
    command = [word.format(**filled) for word in server.command]
    async with host.process(command, host.SERVER_CORE, settings) as child:
        await host.listening(port)
        meter = Meter(server.name, child.pid, redis)
        visitors = Visitors(port, handshake(server.path))
        await meter.read()
        crowd = await visitors.many([b""] * CLIENTS, b"HTTP/1.1 101")
        await asyncio.sleep(SETTLE_S)
        rows = [await meter.row("a bare handshake", CLIENTS)]
        if server.name != "Centrifugo":
            return [*rows, await _price_messages("a message, dropped", crowd, meter, _BEAT)]
        await _end(crowd)
        return rows + await _whole(visitors, identity, meter)


async def _whole(visitors: Visitors, identity: Identity, meter: "Meter") -> list[dict[str, Any]]:
    """Centrifugo's whole connect, by tokens of two kinds, and the least message that it reads: it answers that."""
    rows = []
    crowd: list[Person] = []
    mark = peers.CENTRIFUGO_SUBSCRIBED.encode()
    for what, token in (("connect by HMAC token", identity.hmac_token), ("connect by token", identity.access_token)):
        await _end(crowd)
        hellos = [peers.centrifugo_hello(token=token(number)) for number in range(CLIENTS)]
        firsts = [b"".join(client_frame(message.encode()) for message in hello) for hello in hellos]
        await meter.read()
        crowd = await visitors.many(firsts, mark)
        await asyncio.sleep(SETTLE_S)
        rows.append(await meter.row(what, CLIENTS))
    rows.append(await _price_messages("a ping, answered", crowd, meter, _CENTRIFUGO_PING))
    return rows


class Meter:
    """CPU of one server process and of Redis between two readings."""

    def __init__(self, server: str, pid: int, redis: RedisClient) -> None:
        self.server = server
        self._pid = pid
        self._redis = redis
        self._last = (0.0, 0.0)

    async def read(self) -> tuple[float, float]:
        """Seconds since the reading before: server, Redis."""
        info = await self._redis.info("cpu")
        now = (host.cpu_s(self._pid), float(info["used_cpu_user"]) + float(info["used_cpu_sys"]))
        spent = (now[0] - self._last[0], now[1] - self._last[1])
        self._last = now
        return spent

    async def row(self, what: str, count: int) -> dict[str, Any]:
        """What happened `count` times since the reading before, per time."""
        return self.priced(what, count, await self.read())

    def priced(self, what: str, count: int, spent: tuple[float, float]) -> dict[str, Any]:
        """The row for so many seconds of server and Redis."""
        server_us, redis_us = (round(seconds / count * 1e6, 1) for seconds in spent)
        return {"what": what, "server": self.server, "times": count, "cpu_us": server_us, "redis_us": redis_us}


async def _price_connects(port: int, identity: Identity, meter: Meter) -> list[dict[str, Any]]:
    rows = []
    people = People(port, looking=False)
    hellos = [{"token": identity.access_token(number)} for number in range(CLIENTS)]
    await meter.read()
    print("connect: by token, by ticket, heartbeats", file=sys.stderr)
    crowd = await people.many(hellos)
    await asyncio.sleep(SETTLE_S)
    rows.append(await meter.row("connect by token", CLIENTS))
    await _end(crowd)
    await meter.read()
    crowd = await people.many([{"resume": person.ticket.decode()} for person in crowd])
    await asyncio.sleep(SETTLE_S)
    rows.append(await meter.row("connect by resume ticket", CLIENTS))
    await _end(crowd)
    await meter.read()
    crowd = await People(port).many([{"resume": person.ticket.decode()} for person in crowd])
    await asyncio.sleep(SETTLE_S)
    rows.append(await meter.row("the same with a viewport", CLIENTS))
    await asyncio.sleep(5)  # what follows is what is spent at rest, too
    rows.append(await _price_messages("a heartbeat", crowd, meter, _BEAT))
    await _end(crowd)
    return rows


async def _price_messages(what: str, crowd: Sequence[Person], meter: Meter, message: bytes) -> dict[str, Any]:
    """BEATS messages of everybody, one a second each; what the same time costs at rest is taken off."""
    idle = await _idle(meter, BEATS)
    for _ in range(BEATS):
        for number, person in enumerate(crowd):
            person.transport.write(message)
            if number % 100 == 99:
                await asyncio.sleep(100 / CLIENTS)
    spent = await meter.read()
    return meter.priced(what, CLIENTS * BEATS, (spent[0] - idle[0], spent[1] - idle[1]))


async def _idle(meter: Meter, seconds: float) -> tuple[float, float]:
    """What as long a time costs without heartbeats; leaves the meter read."""
    await meter.read()
    await asyncio.sleep(seconds)
    return await meter.read()


async def _end(crowd: Sequence[Person]) -> None:
    for person in crowd:
        person.transport.abort()
    await asyncio.sleep(SETTLE_S)


async def _replace_everybody(people: People, identity: Identity, port: int, redis_url: str) -> dict[str, Any]:
    """Every client goes and comes back by its ticket while a feed goes on: the longest pause of the loop."""
    print(f"connect: {SOCKETS} sockets, all replaced", file=sys.stderr)
    crowd: list[Person] = []
    for at in range(0, SOCKETS, 1000):
        tokens = [{"token": identity.access_token(n)} for n in range(at, min(at + 1000, SOCKETS))]
        crowd += await people.many(tokens)
    gc.freeze()  # a pause of the crowd would be a wave of those who come back
    await asyncio.sleep(65)  # the longest pause of the last minute is what the gateway says
    publish = (sys.executable, "-m", "loadtest.publish", str(SOCKETS // REPLACED_PER_S * 2), "2", "150")
    async with host.process(publish, host.CROWD_CORE, {"REDIS_URL": redis_url}) as publisher:
        began, numbers = time.monotonic(), iter(range(SOCKETS))

        async def replace() -> None:
            for number in numbers:
                await asyncio.sleep(began + number / REPLACED_PER_S - time.monotonic())
                crowd[number].transport.abort()
                crowd[number] = await people.one({"resume": crowd[number].ticket.decode()})

        await asyncio.gather(*(replace() for _ in range(AT_ONCE)))
        await publisher.wait()
    worst = await asyncio.to_thread(_worst_gap_ms, port)
    gc.unfreeze()
    await _end(crowd)
    return {"what": f"{SOCKETS} sockets, all replaced", "times": SOCKETS, "longest_gap_ms": worst}


def _worst_gap_ms(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        found = _GAP.search(answer.read().decode())
    return int(found[1]) if found else -1
