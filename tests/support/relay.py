"""What tests of the relay share: events as the API records them, and a reader that follows a channel as gateways do."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import asyncpg
import orjson
import pytest
from redis.asyncio.client import PubSub

from config.ids import uuid7
from config.redis import RedisClient, RedisError, connect
from rt.feed.positions import Position
from rt.feed.store import FeedStore
from rt.wire.bus import RELAY_WAKE_CHANNEL, decode_batch
from rt.wire.channels import COMMUNITY, Channel, bus_channel
from rt.wire.frames import split_frames

T = TypeVar("T")

AWAY: Final = (RedisError, OSError, TimeoutError)

_APPEND: Final = (
    "SELECT append_event($1, clock_timestamp(), 'musclemap', 'workout_completed', 1, $2, $3, 'Ann', $4, $5::json)"
)
_STORED: Final = (
    'SELECT "offset", body::text AS body FROM feed_positions WHERE namespace = $1 AND channel = $2 ORDER BY "offset"'
)
PUBLIC: Final = ("PUBLIC_ANON", "PUBLIC_PROFILE")


async def eventually(look: Callable[[], Awaitable[T]], good: Callable[[T], bool], within_s: float = 45) -> T:
    """What `look` finds as soon as it is `good`. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            found = await look()
            if good(found):
                return found
            await asyncio.sleep(0.02)


async def subscribe(bus: PubSub, channel: str) -> None:
    """Returns when the server has confirmed: what is published from now on will be heard."""
    await bus.subscribe(channel)
    async with asyncio.timeout(15):
        while (message := await bus.get_message(timeout=1)) is None or message["type"] != "subscribe":
            pass


async def append_event(connection: Any, number: int, user: uuid.UUID, visibility: tuple[str, ...] = PUBLIC) -> None:
    """One event in the transaction at hand, as the ledger records it; `number` is its total_tu."""
    data = orjson.dumps({"workout_id": str(uuid7()), "total_tu": number, "exercises": [], "muscles": [], "note": None})
    await connection.execute(_APPEND, uuid7(), uuid.uuid4(), user, list(visibility), data.decode())


async def produce(
    url: str,
    redis: RedisClient,
    users: list[uuid.UUID],
    count: int,
    pause_s: float,
    enough: asyncio.Event | None = None,
) -> int:
    """`count` events, or until `enough`, one a transaction, repeated until committed, each with a wake-up where Redis
    answers. Event n belongs to user n modulo their number. Returns how many.
    """
    connection = None
    number = 0
    while number < count and not (enough is not None and enough.is_set()):
        number += 1
        while True:
            try:
                connection = connection or await asyncpg.connect(url)
                async with connection.transaction(isolation="serializable"):
                    await append_event(connection, number, users[number % len(users)])
                break
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                if connection is not None:
                    connection.terminate()
                connection = None
                await asyncio.sleep(0.1)
        with suppress(*AWAY):
            async with asyncio.timeout(0.5):
                await redis.publish(RELAY_WAKE_CHANNEL, b"")
        await asyncio.sleep(pause_s)
    if connection is not None:
        await connection.close()
    return number


@dataclass
class Follower:
    """Follows one channel through Redis by the rules of a gateway: history, live batches, holes filled by reading.

    `events` is what a client would have heard, each once and in order; `wrong` is what broke a promise.
    """

    url: str
    channel: Channel = COMMUNITY
    events: list[tuple[int, bytes]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    epoch: str = ""
    batches: int = 0
    connections: int = 0
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def offset(self) -> int:
        return self.events[-1][0] if self.events else 0

    async def follow(self) -> None:
        """Follows until it is cancelled; a lost connection is made again."""
        while True:
            redis = connect(self.url)
            try:
                async with redis.pubsub() as bus:
                    await subscribe(bus, bus_channel(self.channel))
                    self.connections += 1
                    await self._read(FeedStore(redis))
                    self.joined.set()
                    while True:
                        message = await bus.get_message(timeout=0.5)
                        if message is None:
                            async with asyncio.timeout(2):
                                await redis.ping()
                        elif message["type"] == "message":
                            await self._take(FeedStore(redis), message["data"])
                        async with self.heard:
                            self.heard.notify_all()
            except AWAY:
                await asyncio.sleep(0.05)
            finally:
                await redis.aclose()

    async def until(self, count: int, within_s: float = 45) -> None:
        """Returns when `count` events were heard."""
        try:
            async with asyncio.timeout(within_s), self.heard:
                await self.heard.wait_for(lambda: len(self.events) >= count)
        except TimeoutError:
            pytest.fail(f"{self.channel.name}: {len(self.events)} of {count} heard by {self.connections} connections")

    async def _take(self, store: FeedStore, payload: bytes) -> None:
        batch = decode_batch(payload)
        if batch is None or batch.epoch != self.epoch:
            self.wrong.append(f"batch {payload[:60]!r}")
            return
        self.batches += 1
        if batch.first > self.offset + 1:
            await self._read(store)  # a hole
        for n, frame in enumerate(split_frames(batch.frames)):
            if batch.first + n == self.offset + 1:
                event = frame[frame.index(b'"event":{') + 8 : -1]
                self.events.append((batch.first + n, event))

    async def _read(self, store: FeedStore) -> None:
        since = Position(self.epoch, self.offset)
        while True:
            if not self.epoch:
                self.epoch = await store.epoch() or ""
                since = Position(self.epoch, 0)
            history = await store.read(self.channel, since) if self.epoch else None
            if history is not None:
                break
            await store.request_refill([self.channel])
            await asyncio.sleep(0.05)
        if history.epoch != self.epoch or not history.recovered:
            self.wrong.append(f"not recovered from {since} at {history.epoch} {history.offset}")
            return
        self.events += history.events


@asynccontextmanager
async def following(*followers: Follower) -> AsyncIterator[None]:
    """Followers that have joined, for the length of the block."""
    tasks = [asyncio.create_task(follower.follow()) for follower in followers]
    try:
        async with asyncio.timeout(20):
            for follower in followers:
                await follower.joined.wait()
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def faults(url: str, follower: Follower, expected: int) -> list[str]:
    """What is wrong with what was heard, held against PostgreSQL: holes, repeats, losses, other texts."""
    found = list(follower.wrong)
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            _STORED.replace("feed_", "stream_") if follower.channel.is_stream else _STORED,
            follower.channel.namespace,
            follower.channel.name,
        )
        waiting = await connection.fetchval("SELECT count(*) FROM outbox")
    finally:
        await connection.close()
    offsets = [offset for offset, _ in follower.events]
    if offsets != list(range(1, len(offsets) + 1)):
        found.append(f"heard offsets are not dense: {offsets[:20]} …")
    if len({orjson.loads(body)["id"] for _, body in follower.events}) != len(offsets):
        found.append("an event was heard twice")
    if len(rows) != expected or waiting:
        found.append(f"{len(rows)} numbered and {waiting} waiting, {expected} expected")
    if [(row["offset"], row["body"].encode()) for row in rows] != follower.events:
        found.append(f"heard {len(offsets)} events, {len(rows)} are stored, or their texts differ")
    return found
