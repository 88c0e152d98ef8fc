"""A gateway of real processes without API and worker: its keys, epoch and feeds are put into Redis by hand."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from config.redis import RedisClient
from config.redis import connect as connect_redis
from rt.feed.store import FeedStore
from rt.wire.bus import (
    ENDED_KEY,
    EPOCH_KEY,
    EXERCISES_KEY,
    JWKS_KEY,
    REFILL_LIST,
    REVOKED_KEY,
    REVOKED_THROUGH,
)
from rt.wire.channels import Channel, of_tag
from tests.support.processes import Fleet
from tests.support.stores import environment
from tests.support.tokens import Mint

EPOCH = "epoch-1"
ANSWER_S = 45.0
MINT = Mint()  # one key for all tests: gateways look for new ones only now and then


class Feeds:
    """What the relay would do, by the same script."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis
        self.store = FeedStore(redis)
        self.bodies: dict[Channel, list[bytes]] = {}

    async def prepare(self, mint: Mint) -> None:
        """Everything that the API and the relay keep in Redis."""
        await self.redis.set(JWKS_KEY, mint.jwks)
        await self.redis.set(EPOCH_KEY, EPOCH)
        for key in (REVOKED_KEY, ENDED_KEY):
            await self.redis.zadd(key, {REVOKED_THROUGH: time.time()})
        await self.redis.sadd(EXERCISES_KEY, "squat", "back-squat", "bench-press")

    async def make(self, channel: Channel) -> None:
        """A channel with everything that was published on it so far."""
        bodies = self.bodies.setdefault(channel, [])
        await self.store.refill(channel, EPOCH, len(bodies), list(enumerate(bodies, 1)))

    async def publish(self, channel: Channel, count: int = 1) -> None:
        """The next events."""
        bodies = self.bodies.setdefault(channel, [])
        first = len(bodies) + 1
        new = [b'{"id":"e%d","type":"x"}' % (first + n) for n in range(count)]
        bodies += new
        assert await self.store.append(channel, EPOCH, first, new) is None

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answers the requests of gateways meanwhile, as a relay does to whom PostgreSQL has told `bodies`."""

        async def answer() -> None:
            while True:
                popped: Any = await self.redis.brpop([REFILL_LIST], timeout=1)
                channel = of_tag(popped[1].decode()) if popped else None
                if channel in self.bodies:
                    await self.store.announce(EPOCH, {channel: len(self.bodies[channel])})

        task = asyncio.ensure_future(answer())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Talk:
    """A client that sends and hears one JSON object at a time."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self, *kinds: str) -> dict[str, Any]:
        """The next message, or the next of these types."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                message: dict[str, Any] = json.loads(await self.socket.recv())
                if not kinds or message["type"] in kinds:
                    return message

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Says, and hears the one answer."""
        await self.say(kind, id="q", **fields)
        async with asyncio.timeout(ANSWER_S):
            while True:
                message: dict[str, Any] = json.loads(await self.socket.recv())
                if message.get("id") == "q":
                    return message

    async def subscribe(self, channel: str, **fields: Any) -> dict[str, Any]:
        """The answer, asked for again while the gateway does not know it yet, as clients do."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                answer = await self.ask("subscribe", channel=channel, **fields)
                if answer.get("code") != "UNAVAILABLE":
                    return answer
                await asyncio.sleep(answer["retry_after_ms"] / 1000)

    async def closed(self) -> int | None:
        """Hears until the end; the code of the close frame, None without one."""
        async with asyncio.timeout(ANSWER_S):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed as end:
                return end.rcvd.code if end.rcvd else None


class Gateway:
    """The fleet, its Redis, its key."""

    def __init__(self, fleet: Fleet, feeds: Feeds, mint: Mint) -> None:
        self.fleet = fleet
        self.feeds = feeds
        self.mint = mint

    @asynccontextmanager
    async def socket(self, **options: Any) -> AsyncIterator[Talk]:
        """An open socket that has said nothing yet."""
        async with connect(self.fleet.ws_url, proxy=None, **options) as socket:
            yield Talk(socket)

    @asynccontextmanager
    async def client(self, user: str | None = None, **options: Any) -> AsyncIterator[Talk]:
        """A welcomed client."""
        async with self.socket(**options) as talk:
            token = {} if user is None else {"token": self.mint.access(user)}
            assert (await talk.ask("connect", **token))["type"] == "welcome"
            yield talk


@asynccontextmanager
async def gateway(redis_url: str, folder: Path, **settings: str) -> AsyncIterator[Gateway]:
    """A gateway of the test's own; `settings` by their environment names."""
    async with prepared(redis_url) as feeds, make_fleet(redis_url, folder, settings) as fleet:
        yield Gateway(fleet, feeds, MINT)


@contextmanager
def shared_fleet(redis_url: str, folder: Path, **settings: str) -> Iterator[Fleet]:
    """A gateway over an emptied Redis, for the tests of one module that leave no trace in it."""

    async def start() -> None:
        redis = connect_redis(redis_url)
        await redis.flushall()
        await redis.aclose()
        async with prepared(redis_url):
            await fleet.rt.start()

    fleet = make_fleet(redis_url, folder, settings)
    try:
        asyncio.run(start())
        yield fleet
    finally:
        fleet.clean_up()


@asynccontextmanager
async def prepared(redis_url: str) -> AsyncIterator[Feeds]:
    """A Redis that has what API and relay keep there."""
    redis = connect_redis(redis_url)
    try:
        feeds = Feeds(redis)
        await feeds.prepare(MINT)
        yield feeds
    finally:
        await redis.aclose()


def make_fleet(redis_url: str, folder: Path, settings: dict[str, str]) -> Fleet:
    """The processes, not started."""
    defaults = {"RT_OPEN_NAMESPACES": "open", "RT_PROCESSES": "1"}
    return Fleet(environment(REDIS_URL=redis_url), folder, roles=("rt",), settings=defaults | settings)


async def until(condition: Any, limit_s: float = 45.0) -> None:
    """Waits for a condition, which may be a coroutine function, with a deadline."""
    async with asyncio.timeout(limit_s):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)
