"""The relay as a process under faults: killed, paused, its stores wiped and stopped. Lost 0, double 0, one epoch."""

import asyncio
import os
import random
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx2
import pytest

from config.redis import RedisClient, connect
from rt.feed.positions import Position
from rt.feed.store import FeedStore
from rt.wire.channels import COMMUNITY, app_channel, meta_key, user_channel
from tests.support.processes import READY_S, Fleet, get_status
from tests.support.relay import Follower, append_event, eventually, faults, following, produce
from tests.support.stores import Database, TestStores, environment

pytestmark = pytest.mark.timeout(120)

USERS = [uuid.UUID(int=n) for n in range(1, 6)]


def worker_fleet(url: str, redis_url: str, folder: Path) -> Fleet:
    return Fleet(environment(WORKER_DATABASE_URL=url, REDIS_URL=redis_url), folder, roles=("worker",))


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[RedisClient]:
    client = connect(url)
    try:
        yield client
    finally:
        await client.aclose()


async def metric(fleet: Fleet, name: str) -> float:
    """A metric of the worker; 0 where it has no value yet."""
    async with httpx2.AsyncClient() as http:
        lines = (await http.get(fleet.worker.http("/metrics"))).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


async def until_metric(fleet: Fleet, name: str, value: float, within_s: float = 45) -> None:
    await eventually(lambda: metric(fleet, name), lambda found: found == value, within_s)


async def until_alive(fleet: Fleet) -> None:
    await eventually(lambda: get_status(fleet.worker.port, "/health"), lambda found: found == 200, READY_S)


async def killed_relay(database: Database, redis_url: str, folder: Path, kills: int, seed: int) -> None:
    """Events go on while the relay is killed `kills` times at random moments and started again."""
    chance, enough = random.Random(seed), asyncio.Event()
    community, mine = Follower(redis_url), Follower(redis_url, user_channel(str(USERS[0])))
    async with client_of(redis_url) as redis, worker_fleet(database.worker_url, redis_url, folder) as fleet:
        async with following(community, mine):
            producing = asyncio.create_task(produce(database.superuser_url, redis, USERS, 100_000, 0.001, enough))
            for _ in range(kills):
                await asyncio.sleep(0.2 + chance.random() * 0.4)
                fleet.worker.kill()
                before = len(community.events)
                fleet.worker.launch()
                await until_alive(fleet)  # how long Python takes to start is not ours to promise
                alive_at = time.monotonic()
                await community.until(before + 1)
                assert time.monotonic() - alive_at < 5, "nobody took over within 5 s"
            enough.set()
            count = await producing
            await community.until(count)
            await mine.until(count // len(USERS))
        assert await faults(database.superuser_url, community, count) == []
        assert await faults(database.superuser_url, mine, count // len(USERS)) == []
        assert await fleet.worker.stop() == 0


@pytest.mark.alone
async def test_killed_at_random_moments_it_loses_nothing(database: Database, redis_url: str, tmp_path: Path) -> None:
    """Three kills. Failed against: no repair of an odd append together with no comparison with Redis. Marking as
    published before publishing alone is repaired by that comparison, and passes."""
    await killed_relay(database, redis_url, tmp_path, kills=3, seed=3)


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_killed_twenty_times_it_loses_nothing(database: Database, redis_url: str, tmp_path: Path) -> None:
    """Twenty kills at random points."""
    await killed_relay(database, redis_url, tmp_path, kills=20, seed=20)


async def test_a_paused_leader_is_replaced_and_wakes_harmless(
    database: Database, redis_url: str, tmp_path: Path
) -> None:
    """SIGSTOP of the leader under load: the second one takes over within 5 s; the first wakes and writes nothing.

    Failed against: a lease without an end; a claim that did not look at the term, with an append that did not either.
    """
    community, enough = Follower(redis_url), asyncio.Event()
    one = worker_fleet(database.worker_url, redis_url, tmp_path / "one")
    other = worker_fleet(database.worker_url, redis_url, tmp_path / "other")
    async with client_of(redis_url) as redis, both(one, other), following(community):
        first, second = (one, other) if await metric(one, "relay_leader") else (other, one)
        await until_metric(first, "relay_leader", 1)
        assert await metric(second, "relay_leader") == 0
        producing = asyncio.create_task(produce(database.superuser_url, redis, USERS, 100_000, 0.01, enough))
        await community.until(50)
        os.kill(first.worker.pid, signal.SIGSTOP)
        stopped_at = time.monotonic()
        # What is still in the socket's buffers may arrive; after that only the successor can bring more.
        await asyncio.sleep(0.3)
        await community.until(len(community.events) + 1)
        assert time.monotonic() - stopped_at < 5.5
        await until_metric(second, "relay_leader", 1)
        os.kill(first.worker.pid, signal.SIGCONT)
        await until_metric(first, "relay_leader", 0)
        numbered_by_first = await metric(first, "relay_events_numbered_total")
        await community.until(len(community.events) + 50)
        enough.set()
        count = await producing
        await community.until(count)
        assert await metric(first, "relay_events_numbered_total") == numbered_by_first
        assert await faults(database.superuser_url, community, count) == []
        # The successor stops in an orderly way: the first one leads again at once.
        assert await second.worker.stop() == 0
        await until_metric(first, "relay_leader", 1, within_s=3)
        assert await first.worker.stop() == 0


@asynccontextmanager
async def both(one: Fleet, other: Fleet) -> AsyncIterator[None]:
    """Two relays that are started side by side, one of which leads."""
    other.worker.launch()
    try:
        async with one:
            await other.worker.wait_ready()
            leads = [asyncio.create_task(until_metric(fleet, "relay_leader", 1)) for fleet in (one, other)]
            await asyncio.wait(leads, return_when=asyncio.FIRST_COMPLETED)
            for lead in leads:
                lead.cancel()
            yield
    finally:
        other.clean_up()


async def test_a_wiped_redis_is_refilled(database: Database, redis_url: str, tmp_path: Path) -> None:
    """FLUSHALL twice under 100 events a second: the same epoch, no hole. Also on channels without a new event.

    Failed against: a relay that refills only where it appends (the follower of the quiet channel).
    """
    community, mine = Follower(redis_url), Follower(redis_url, user_channel(str(USERS[1])))
    async with client_of(redis_url) as redis, worker_fleet(database.worker_url, redis_url, tmp_path):
        await produce(database.superuser_url, redis, USERS, 20, 0)
        async with following(community, mine):
            producing = asyncio.create_task(produce(database.superuser_url, redis, USERS[:1], 200, 0.01))
            for heard in (60, 120):
                await community.until(heard)
                await redis.flushall()
            await producing
            await community.until(220)
            store = FeedStore(redis)
            await redis.flushall()
            # With no event to bring it back.
            position = await eventually(lambda: store.head(COMMUNITY), lambda found: found is not None)
            assert position == Position(community.epoch, 220)
            assert await store.epoch() == community.epoch
            # A personal channel comes when somebody asks for it, with its history.
            quiet = user_channel(str(USERS[1]))
            assert await store.head(quiet) is None
            asked_at = time.monotonic()
            await store.request_refill([quiet, app_channel("polls", "empty")])
            history = await eventually(
                lambda: store.read(quiet, Position(community.epoch, 0)), lambda found: found is not None
            )
            assert time.monotonic() - asked_at < 1
            assert history is not None
            assert (history.offset, history.recovered, len(history.events)) == (4, True, 4)
            empty = app_channel("polls", "empty")
            assert await store.head(empty) == Position(community.epoch, 0)
            assert await redis.ttl(meta_key(empty)) > 0
        assert await faults(database.superuser_url, community, 220) == []
        assert await faults(database.superuser_url, mine, 4) == []


async def test_what_was_published_is_written_down_once_a_second(
    database: Database, redis_url: str, tmp_path: Path
) -> None:
    """Not with each batch, and all of it in the end. Seen failing with marks in each batch, and with none at rest."""
    marks, follower = 'pg_query_duration_seconds_count{query="worker.mark_published"}', Follower(redis_url)
    behind = "SELECT count(*) FROM feed_channels WHERE published_through < last_offset"
    async with client_of(redis_url) as redis, worker_fleet(database.worker_url, redis_url, tmp_path) as fleet:
        async with following(follower):
            before, began = await metric(fleet, marks), time.monotonic()
            for count in range(1, 31):
                await produce(database.superuser_url, redis, USERS[:1], 1, 0)
                await follower.until(count)
            assert await metric(fleet, marks) - before <= time.monotonic() - began + 1
        owner = await asyncpg.connect(database.superuser_url)
        try:
            await eventually(lambda: owner.fetchval(behind), lambda found: found == 0)
        finally:
            await owner.close()


async def test_a_redis_that_went_back_is_brought_forward(database: Database, redis_url: str, tmp_path: Path) -> None:
    """A replica that took over lacks the last events, also of channels that nothing new happens to; one of another
    epoch or ahead of PostgreSQL is replaced. Failed against: comparing streams alone; `head ahead` taken as equal.
    """
    async with client_of(redis_url) as redis, worker_fleet(database.worker_url, redis_url, tmp_path) as fleet:
        store = FeedStore(redis)
        await produce(database.superuser_url, redis, USERS[:3], 30, 0)
        follower = Follower(redis_url)
        async with following(follower):
            await follower.until(30)
        epoch = follower.epoch
        assert await fleet.worker.stop() == 0
        behind, ahead, other = (user_channel(str(user)) for user in USERS[:3])
        kept = await store.read(behind, Position(epoch, 0))
        assert kept is not None
        await store.refill(behind, epoch, 7, kept.events[:7])
        await store.refill(ahead, epoch, 99, [(99, b'{"id":"never"}')])
        await store.refill(other, "older", 10, [])
        await store.refill(COMMUNITY, epoch, 25, [])
        await fleet.worker.start()
        await until_metric(fleet, "relay_behind", 0)
        right = [Position(epoch, 30), *[Position(epoch, 10)] * 3]
        await eventually(lambda: store.heads([COMMUNITY, behind, ahead, other]), lambda found: found == right)
        for channel in (behind, ahead, other):
            history = await store.read(channel, Position(epoch, 9))
            assert history is not None
            assert history.recovered
            assert b'"never"' not in history.events[0][1]


@pytest.mark.chaos
@pytest.mark.timeout(150)
async def test_stores_that_stop_and_return(own_stores: TestStores, tmp_path: Path) -> None:
    """A wiped Redis, a paused one and a restart of PostgreSQL, one after another, under 100 events a second.

    Valkey is killed and comes back empty, then is paused for 3 s; PostgreSQL is restarted.
    Failed against: a relay that ended its process on an error of a store.
    """
    url, redis_url = own_stores.superuser_url, own_stores.redis_url
    community = Follower(redis_url)
    async with (
        client_of(redis_url) as redis,
        worker_fleet(own_stores.database.worker_url, redis_url, tmp_path) as fleet,
    ):
        pid = fleet.worker.pid
        async with following(community):
            producing = asyncio.create_task(produce(url, redis, USERS, 900, 0.01))
            await community.until(100)

            own_stores.valkey.kill()
            numbered = await metric(fleet, "relay_events_numbered_total")
            # Pages and cursors go on.
            await eventually(lambda: metric(fleet, "relay_events_numbered_total"), lambda found: found > numbered)
            own_stores.valkey.start()
            back_at, before = time.monotonic(), len(community.events)
            await community.until(before + 1)
            assert time.monotonic() - back_at < 5

            valkey = own_stores.valkey.pid
            assert valkey is not None
            os.kill(valkey, signal.SIGSTOP)
            await asyncio.sleep(3)
            os.kill(valkey, signal.SIGCONT)
            back_at, before = time.monotonic(), len(community.events)
            await community.until(before + 1)
            assert time.monotonic() - back_at < 5

            own_stores.postgres.stop()
            await asyncio.sleep(0.5)
            own_stores.postgres.start()
            back_at, before = time.monotonic(), len(community.events)
            await community.until(before + 1)
            assert time.monotonic() - back_at < 5

            await producing
            await community.until(900)
        assert await faults(url, community, 900) == []
        assert fleet.worker.pid == pid
        assert await fleet.worker.stop() == 0


async def test_it_starts_before_its_stores(own_stores: TestStores, tmp_path: Path) -> None:
    """Failed against: SystemExit while PostgreSQL is away."""
    own_stores.valkey.stop()
    own_stores.postgres.stop()
    fleet = worker_fleet(own_stores.database.worker_url, own_stores.redis_url, tmp_path)
    try:
        fleet.worker.launch()
        async with asyncio.timeout(30), httpx2.AsyncClient() as http:
            while True:
                try:
                    answer = await http.get(fleet.worker.http("/ready"))
                    break
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)
            assert (await http.get(fleet.worker.http("/health"))).status_code == 200
        assert answer.status_code == 503
        assert answer.json()["reasons"] == {"postgres": "does not answer", "redis": "does not answer"}
        own_stores.postgres.start()
        own_stores.valkey.start()
        await fleet.worker.wait_ready()
        await until_metric(fleet, "relay_leader", 1)
        connection = await asyncpg.connect(own_stores.superuser_url)
        async with connection.transaction():
            await append_event(connection, 1, USERS[0])
        await connection.close()
        follower = Follower(own_stores.redis_url)
        async with following(follower):
            await follower.until(1)
        assert await fleet.worker.stop() == 0
    finally:
        fleet.clean_up()
