"""What changes kept answers reaches every process: between APIs, from the relay, from jobs; and without Redis."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from api.graphql.answers import Answers, Question
from api.graphql.drops import Drops
from config.graphql.hints import Policy
from config.limits import DROPS_HEARD_S
from config.metrics import FAILURES
from config.redis import connect
from rt.wire.bus import DROPS_CHANNEL
from rt.wire.drops import COMMUNITY_PAGES, LEADERBOARDS, Drop, decode_drop
from tests.integration.test_relay_faults import worker_fleet
from tests.support.gateway import until
from tests.support.ledger import ledger
from tests.support.proxy import Proxy
from tests.support.relay import append_event, subscribe
from tests.support.stores import Database
from worker.jobs.every import JOBS
from worker.jobs.runner import Outcome, run_slot

HOUR = Policy(3_600, own=True, types=frozenset({"Profile"}))


class World:
    """What is to be read everywhere."""

    version = 1

    def change(self) -> None:
        self.version += 1


class Process:
    """What an API keeps, over the Redis of this address."""

    def __init__(self, url: str, world: World) -> None:
        self.answers = Answers()
        self._client = connect(url)
        self.drops = Drops(self._client, self.answers)
        self._world = world
        self._tasks = [asyncio.create_task(self.drops.run()), asyncio.create_task(self.drops.listen())]

    async def read(self, viewer: str = "ann") -> int:
        async def make() -> bytes:
            return b"%d" % self._world.version

        found = await self.answers.answer(Question(b"", "", b"", "free", viewer), HOUR, make)
        assert found is not None
        return int(found.body)

    async def is_fresh(self) -> bool:
        return {await self.read(viewer) for viewer in ("ann", "bob")} == {self._world.version}

    async def keeps(self) -> bool:
        await self.read("somebody")
        return len(self.answers) > 0

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()


@asynccontextmanager
async def processes(*urls: str, world: World) -> AsyncIterator[list[Process]]:
    """They have heard each other."""
    made = [Process(url, world) for url in urls]
    try:
        for one in made:
            await until(one.keeps)
        yield made
    finally:
        for one in made:
            await one.close()


@asynccontextmanager
async def pair(redis_url: str, world: World) -> AsyncIterator[tuple[Process, Process, Proxy]]:
    """Two processes, the other one behind a proxy."""
    address = urlsplit(redis_url)
    async with (
        Proxy("127.0.0.1", address.port or 0).running() as proxy,
        processes(redis_url, proxy.url(redis_url), world=world) as (one, other),
    ):
        yield one, other, proxy


async def test_a_change_is_heard_by_all_within_a_second(redis_url: str) -> None:
    """Seen failing without `listen`, without what `soon` drops here, and with the first of two
    drops of one turn lost."""
    world = World()
    async with processes(redis_url, redis_url, redis_url, world=world) as made:
        for _ in range(20):
            for one in made:
                assert await one.is_fresh()
            world.change()
            for viewer in ("ann", "bob"):
                made[0].drops.soon(Drop(users=frozenset({viewer})))
            assert await made[0].is_fresh()  # at once, here
            for one in made:
                await until(one.is_fresh, 1)


async def test_whoever_does_not_hear_redis_keeps_nothing(redis_url: str) -> None:
    """In a black hole, and back again. Seen failing with a silence that ends nothing: what others had changed was
    served from before."""
    world = World()
    async with pair(redis_url, world) as (one, other, proxy):
        assert await other.is_fresh()
        proxy.stall = True
        world.change()
        one.drops.soon(Drop(users=frozenset({"ann", "bob"})))
        await until(other.is_fresh, DROPS_HEARD_S + 1)
        world.change()  # nobody says so: nothing was kept
        assert await other.is_fresh()
        proxy.stall = False
        await until(other.keeps)


async def test_what_was_said_while_the_subscription_was_broken_is_not_missed(redis_url: str) -> None:
    """However short it was. Seen failing without `deaf`: the old answers for as long as they are kept."""
    world = World()
    async with pair(redis_url, world) as (one, other, proxy), processes(redis_url, world=world) as (third,):
        assert await other.is_fresh()
        assert await third.is_fresh()
        proxy.refuse = True
        await proxy.cut()
        world.change()
        one.drops.soon(Drop(users=frozenset({"ann", "bob"})))
        await until(third.is_fresh)  # it was said
        proxy.refuse = False
        await until(other.keeps)
        assert await other.is_fresh()


async def test_what_redis_did_not_take_is_told_when_it_is_back(redis_url: str) -> None:
    """Seen failing with drops that are forgotten when their publish fails."""
    world = World()
    async with pair(redis_url, world) as (one, other, proxy):
        assert await one.is_fresh()
        proxy.refuse = True
        await proxy.cut()
        failed = FAILURES.labels("drops")._value.get()
        world.change()
        other.drops.soon(Drop(users=frozenset({"ann", "bob"})))
        await until(lambda: FAILURES.labels("drops")._value.get() > failed)
        assert not await one.is_fresh()
        proxy.refuse = False
        await until(one.is_fresh)


async def test_the_relay_and_the_refresh_of_leaderboards_say_what_they_change(
    database: Database, redis_url: str, tmp_path: Path
) -> None:
    """Seen failing without the relay's word, with one behind the event, and with a refresh that says nothing."""
    user = uuid.uuid4()
    order: list[str] = []
    owner = await asyncpg.connect(database.superuser_url)
    client = connect(redis_url)
    try:
        async with client.pubsub() as bus, worker_fleet(database.worker_url, redis_url, tmp_path):
            await subscribe(bus, DROPS_CHANNEL)
            await bus.psubscribe("rt:*community*")
            for total_tu in (7_000, 8_000):  # the first one may find a Redis without the channel
                order.clear()
                await append_event(owner, total_tu, user)
                async with asyncio.timeout(15):
                    while "drop" not in order or "event" not in order:
                        message = await bus.get_message(ignore_subscribe_messages=True, timeout=1)
                        if message is None:
                            continue
                        what = decode_drop(message["data"]) if message["channel"] == DROPS_CHANNEL.encode() else None
                        if what is not None and what.users:  # else a job of the worker that is due
                            assert what == Drop(frozenset({COMMUNITY_PAGES}), frozenset({str(user)}))
                            order.append("drop")
                        elif b"community" in message["channel"]:
                            order.append("event")
            assert order[0] == "drop"
        async with client.pubsub() as bus, ledger(database) as books:
            await subscribe(bus, DROPS_CHANNEL)
            settings = books.settings.model_copy(update={"redis_url": type(books.settings.redis_url)(redis_url)})
            assert await run_slot(settings, JOBS["leaderboards"], datetime.now(UTC), "me") is Outcome.DONE
            message = await bus.get_message(ignore_subscribe_messages=True, timeout=5)
            assert message is not None
            assert decode_drop(message["data"]) == Drop(types=frozenset({LEADERBOARDS}))
    finally:
        await client.aclose()
        await owner.close()
