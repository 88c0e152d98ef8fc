"""Reads by a streaming replica: never older than what the viewer wrote, wherever it was written, nor than the bound;
and by the primary wherever that is in doubt.

Two `Side`s are two API processes: they share the stores and nothing else.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx2
import pytest
from pydantic import SecretStr

import config.db.replica
from api.accounts.revocations import Revocations
from api.community.service import Community, Presences
from api.feed.rules import dashboard
from api.feed.service import Feeds
from config.db.database import Database
from config.db.postgres import connect, make_pool
from config.db.replica import WRITTEN_KEY, Replica
from config.embedded.postgres import APPLICATION, SUPERUSER, PostgresServer
from config.errors import NotFound
from config.metrics import REPLICA_READS
from config.redis import RedisClient
from config.redis import connect as connect_redis
from rt.feed.store import FeedStore
from rt.wire.channels import user_channel
from tests.support.gateway import until
from tests.support.ledger import NOW, Ledger, connection, ledger
from tests.support.processes import Fleet
from tests.support.standby import standby_of
from tests.support.stores import Cluster, TestStores, environment

pytestmark = [pytest.mark.timeout(180)]

LONG_S: Final = 600.0  # a bound that no test reaches
SOON_S: Final = 20.0
_BODY: Final = b'{"id":"01980000-0000-7000-8000-000000000001","type":"x","created_at":"2026-01-01T00:00:00Z","data":{}}'


@dataclass
class Pair:
    """A primary, its standby, and a Redis; the database `musclemap` is on both."""

    stores: TestStores
    standby: PostgresServer

    @property
    def replica_url(self) -> str:
        return self.standby.url(APPLICATION)

    async def on_standby(self, sql: str) -> object:
        async with connection(self.standby.url(SUPERUSER)) as one:
            return await one.fetchval(sql)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Replays nothing meanwhile, from where it has all that was written so far."""
        async with connection(self.stores.superuser_url) as primary:
            written = await primary.fetchval("SELECT pg_current_wal_insert_lsn()::text")

        async def there() -> bool:
            return bool(await self.on_standby(f"SELECT pg_last_wal_replay_lsn() >= '{written}'::pg_lsn"))

        await until(there, SOON_S)
        await self.on_standby("SELECT pg_wal_replay_pause()")
        await until(lambda: self._is("paused"), SOON_S)
        try:
            yield
        finally:
            await self.on_standby("SELECT pg_wal_replay_resume()")

    async def _is(self, state: str) -> bool:
        return await self.on_standby("SELECT pg_get_wal_replay_pause_state()") == state


@dataclass
class Side:
    """One API process."""

    db: Database
    replica: Replica
    redis: RedisClient
    books: Ledger

    def community(self, viewer: UUID) -> Community:
        db = self.db.for_request(viewer)
        return Community(db, Presences(self.redis, 1), Revocations(db, self.redis), self.books.wake)

    async def followers(self, viewer: UUID, user: UUID) -> int:
        """How many `user` has, as a page of `viewer` says."""
        return (await self.community(viewer).profile(viewer, user, NOW)).followers


@pytest.fixture(scope="module")
def pair(stores_folder: Path, cluster_to_copy: Cluster) -> Iterator[Pair]:
    running = TestStores(stores_folder / "replicated", cluster_to_copy)
    try:
        running.start()
        standby = standby_of(running)
        try:
            yield Pair(running, standby)
        finally:
            standby.stop()
    finally:
        running.stop()


@pytest.fixture
async def books(pair: Pair) -> AsyncIterator[Ledger]:
    async with ledger(pair.stores.database) as made:
        yield made


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.db.replica, "REPLICA_LOOK_S", 0.01)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No replica is too old by time alone."""
    monkeypatch.setattr(config.db.replica, "REPLICA_LAG_S_MAX", LONG_S)


@asynccontextmanager
async def side(pair: Pair, books: Ledger, *, redis_url: str = "") -> AsyncIterator[Side]:
    """A process that has looked at its replica."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect_redis(redis_url or pair.stores.redis_url))
        pool = make_pool(books.settings, SecretStr(pair.replica_url))
        stack.callback(pool.terminate)
        await connect(pool)
        replica = Replica(pool, redis)
        looking = asyncio.create_task(replica.run(books.db.pool))
        stack.callback(looking.cancel)
        if not redis_url:
            await until(lambda: replica.fault is None, SOON_S)
        yield Side(Database(books.db.pool, replica=replica), replica, redis, books)


def answered(by: str) -> float:
    return float(REPLICA_READS.labels(by)._value.get())


async def by(who: str, read: Callable[[], Awaitable[object]]) -> object:
    """What `read` finds, which `who` must have answered, or the primary for this reason."""
    before = answered(who)
    found = await read()
    assert answered(who) == before + 1, f"not {who}"
    return found


@pytest.mark.usefixtures("patient")
async def test_nobody_misses_what_they_wrote_wherever_they_ask(pair: Pair, books: Ledger) -> None:
    """While replay stands, one process writes and another is asked. Seen failing without the position in the statement
    of `asked`, and with `wrote` left out of `Database.call`: the page had no follower."""
    ann, bob, cleo = [await books.user() for _ in "abc"]
    async with side(pair, books) as one, side(pair, books) as other:
        async with pair.paused():
            assert await by("replica", lambda: other.followers(ann, bob)) == 0
            await one.community(ann).follow(ann, bob, NOW)
            assert await by("behind", lambda: other.followers(ann, bob)) == 1
            assert await by("replica", lambda: other.followers(cleo, bob)) == 0  # somebody else's may be a moment old

        async def replayed() -> bool:
            before = answered("replica")
            assert await other.followers(ann, bob) == 1
            return answered("replica") > before

        await until(replayed, SOON_S)


@pytest.mark.usefixtures("patient")
async def test_what_is_taken_from_others_they_see_no_more(pair: Pair, books: Ledger) -> None:
    """A block, while replay stands. Seen failing without `takes=True`: the profile was still there."""
    ann, bob = await books.user(), await books.user()
    async with side(pair, books) as one, side(pair, books) as other, pair.paused():
        await by("replica", lambda: other.followers(bob, ann))
        await one.community(ann).block(ann, bob, NOW)
        with pytest.raises(NotFound):
            await other.followers(bob, ann)


async def test_nothing_is_older_than_the_bound(pair: Pair, books: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen failing with a lag that is never asked for."""
    monkeypatch.setattr(config.db.replica, "REPLICA_LAG_S_MAX", 0.5)
    ann, bob = await books.user(), await books.user()
    async with side(pair, books) as one:
        async with pair.paused():
            await books.user()  # the primary is ahead
            await until(lambda: one.replica.fault == "behind", SOON_S)
            await by("behind", lambda: one.followers(ann, bob))
        await until(lambda: one.replica.fault is None, SOON_S)
        await by("replica", lambda: one.followers(ann, bob))


@pytest.mark.usefixtures("patient")
async def test_a_redis_that_lost_the_positions_makes_nothing_older(pair: Pair, books: Ledger) -> None:
    """Seen failing with `*` put back at the position of long ago, where it stands otherwise."""
    ann, bob = await books.user(), await books.user()
    async with side(pair, books) as one, pair.paused():
        await one.community(ann).follow(ann, bob, NOW)
        await one.redis.flushall()
        assert await one.followers(ann, bob) == 1

        async def back() -> bool:
            return await one.redis.zscore(WRITTEN_KEY, "*") is not None

        await until(back, SOON_S)
        assert await by("behind", lambda: one.followers(ann, bob)) == 1


async def test_a_write_that_cannot_be_noted_is_answered_when_nobody_can_miss_it(
    pair: Pair, books: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is away for the process that writes, not for the one that reads. Seen failing without the wait: the reader
    had no follower."""
    monkeypatch.setattr(config.db.replica, "REPLICA_LAG_S_MAX", 1.0)
    ann, bob = await books.user(), await books.user()
    async with side(pair, books, redis_url="redis://127.0.0.1:1") as one, side(pair, books) as other:
        async with pair.paused():
            await one.community(ann).follow(ann, bob, NOW)
            assert await other.followers(ann, bob) == 1
        began = time.monotonic()
        monkeypatch.setattr(config.db.replica, "REPLICA_LAG_S_MAX", LONG_S)
        await one.community(ann).unfollow(ann, bob, NOW)  # it is replayed meanwhile: nobody waits for the bound
        assert time.monotonic() - began < SOON_S


async def test_a_replica_that_is_killed_is_missed_by_nobody(pair: Pair, books: Ledger) -> None:
    """Seen failing without ERRORS in `asked`: the read failed."""
    ann, bob = await books.user(), await books.user()
    async with side(pair, books) as one:
        pair.standby.kill()
        try:
            for _ in range(20):
                assert await one.followers(ann, bob) == 0
            assert one.replica.fault == "does not answer"
        finally:
            pair.standby.start()
        await until(lambda: one.replica.fault is None, SOON_S)
        await by("replica", lambda: one.followers(ann, bob))


@pytest.mark.usefixtures("patient")
async def test_a_page_is_never_behind_what_the_live_stream_has_told(pair: Pair, books: Ledger) -> None:
    """So whoever reads on from a place of the stream finds no hole. Seen failing without the look at the stream."""
    ann, bob = await books.user(), await books.user()
    async with side(pair, books) as one, pair.paused():
        live = FeedStore(one.redis)
        async with connection(pair.stores.superuser_url) as superuser:
            epoch = await superuser.fetchval("SELECT epoch FROM installation")
            await superuser.execute(
                "WITH head AS (INSERT INTO feed_channels (namespace, channel, last_offset) VALUES ('musclemap', $1, 1))"
                ' INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body)'
                " VALUES ('musclemap', $1, 1, gen_random_uuid(), now(), $2)",
                f"user:{bob}",
                _BODY.decode(),
            )
        feeds = Feeds(one.db.of(bob), live)
        assert (await feeds.page(dashboard(bob))).position.offset == 0  # nobody has heard of it
        await live.refill(user_channel(str(bob)), epoch, 1, [(1, _BODY)])
        assert (await feeds.page(dashboard(bob))).position.offset == 1
        assert ann


async def test_the_api_serves_by_it_and_without(pair: Pair, tmp_path: Path) -> None:
    """The process as an operator starts it: with a standby, and when that is killed. Seen failing with a pool that asks
    in the role's own isolation level, which a standby refuses."""
    env = environment(
        **pair.stores.database.urls, REDIS_URL=pair.stores.redis_url, DATABASE_REPLICA_URL=pair.replica_url
    )
    async with Fleet(env, tmp_path, roles=("api",)) as fleet, httpx2.AsyncClient() as http:

        async def degraded() -> dict[str, str]:
            found: dict[str, str] = (await http.get(fleet.api.http("/ready"))).json()["degraded"]
            return found

        async def page() -> str:
            asked = {"query": "{ leaderboard(board: XP, period: ALL_TIME) { edges { node { rank } } } }"}
            answer = await http.post(fleet.api.http("/api/graphql"), json=asked)
            assert answer.json().get("data"), answer.text
            return (await http.get(fleet.api.http("/metrics"))).text

        async def whole() -> bool:
            return "replica" not in await degraded()

        await until(whole, SOON_S)
        assert 'pg_replica_reads_total{answered="replica"}' in await page()
        pair.standby.kill()
        try:
            assert "pg_replica_lag_seconds" in await page()

            async def said() -> bool:
                return (await degraded()).get("replica") == "does not answer"

            await until(said, SOON_S)
        finally:
            pair.standby.start()


@pytest.mark.usefixtures("patient")
async def test_a_standby_that_was_promoted_is_not_asked(pair: Pair, books: Ledger) -> None:
    """It has a past of its own from then on. The last test of the file, for nothing makes it a standby again. Seen
    failing without pg_is_in_recovery in both statements."""
    ann, bob = await books.user(), await books.user()
    async with side(pair, books) as one:
        await by("replica", lambda: one.followers(ann, bob))
        assert await pair.on_standby("SELECT pg_promote()")
        await one.community(ann).follow(ann, bob, NOW)
        assert await one.followers(ann, bob) == 1
        await until(lambda: one.replica.fault == "does not answer", SOON_S)
        await by("away", lambda: one.followers(bob, bob))
