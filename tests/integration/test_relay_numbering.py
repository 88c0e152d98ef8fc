"""Offsets: every committed event once per channel, dense, whatever the order in which transactions commit."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator

import asyncpg
import orjson
import pytest

from config.db.postgres import connect, make_pool
from config.db.queries import load_queries
from config.settings import Settings
from rt.wire.channels import COMMUNITY, user_channel
from tests.support.relay import append_event
from tests.support.stores import Database
from worker import store as relay_store
from worker.leader import Leader, Lease, LeaseLostError, this_process
from worker.relay import renditions_of
from worker.store import Head, RelayStore, committed


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    made = make_pool(Settings(database_url=database.superuser_url, database_pool_max=60))
    await connect(made)
    yield made
    await made.close()


@pytest.fixture
def store(pool: asyncpg.Pool) -> RelayStore:
    return RelayStore(pool)


async def lead(pool: asyncpg.Pool, holder: str = "me") -> Lease:
    lease = await Leader(pool, "relay", holder).take()
    assert lease is not None
    return lease


async def number_all(store: RelayStore, lease: Lease) -> int:
    """Numbers until nothing waits; how many events."""
    total = 0
    while batch := (await store.number(lease, {}, renditions_of)).events:
        total += batch
    return total


async def numbered(pool: asyncpg.Pool, channel: str) -> list[tuple[int, int]]:
    """(offset, the event's number) of a channel in the order of its offsets."""
    rows = await pool.fetch('SELECT "offset", body FROM feed_positions WHERE channel = $1 ORDER BY "offset"', channel)
    return [(row["offset"], orjson.loads(row["body"])["data"]["total_tu"]) for row in rows]


async def test_an_event_that_commits_late_is_not_skipped(pool: asyncpg.Pool, store: RelayStore) -> None:
    """Its row has the lowest id, and 50 later ones commit and are numbered while it is open.

    Failed against: rows read by a cursor on the id.
    """
    lease, user = await lead(pool), uuid.uuid4()
    async with pool.acquire() as late:
        open_transaction = late.transaction(isolation="serializable")
        await open_transaction.start()
        await append_event(late, 100, user)
        for number in range(1, 51):
            async with committed(pool) as tx:
                await append_event(tx._connection, number, user)
        assert await number_all(store, lease) == 50
        await open_transaction.commit()
    assert await number_all(store, lease) == 1
    assert await numbered(pool, f"user:{user}") == [*((n, n) for n in range(1, 51)), (51, 100)]


async def test_concurrent_writers_and_rollbacks_leave_no_hole(pool: asyncpg.Pool, store: RelayStore) -> None:
    """200 transactions, 50 at once, one in ten rolled back, 0-20 ms before each commit, numbered meanwhile.

    Failed against: offsets made from the transaction's id.
    """
    lease, chance, users = await lead(pool), random.Random(2), [uuid.uuid4() for _ in range(7)]
    room = asyncio.Semaphore(50)
    kept: list[int] = []
    writing = True

    async def write(number: int) -> None:
        async with room, pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await append_event(connection, number, users[number % 7])
            await asyncio.sleep(chance.random() * 0.02)
            if number % 10 == 0:
                await transaction.rollback()
            else:
                await transaction.commit()
                kept.append(number)

    async def relay() -> None:
        while writing:
            await store.number(lease, {}, renditions_of)

    relaying = asyncio.create_task(relay())
    await asyncio.gather(*(write(number) for number in range(1, 201)))
    writing = False
    await relaying
    await number_all(store, lease)
    assert len(kept) == 180
    community = await pool.fetch('SELECT "offset" FROM stream_positions ORDER BY 1')
    assert [row["offset"] for row in community] == list(range(1, 181))
    told = [pair for user in users for pair in await numbered(pool, f"user:{user}")]
    assert sorted(number for _, number in told) == sorted(kept)
    for user in users:
        rows = await numbered(pool, f"user:{user}")
        assert [offset for offset, _ in rows] == list(range(1, len(rows) + 1))
    heads = await store.heads([COMMUNITY, user_channel(str(users[0]))])
    assert heads[COMMUNITY] == Head(180, 0)


async def test_a_row_that_is_no_event_stops_nobody(pool: asyncpg.Pool, store: RelayStore) -> None:
    """Failed against: an unreadable row that raised out of the batch."""
    lease, user = await lead(pool), uuid.uuid4()
    async with committed(pool) as tx:
        await append_event(tx._connection, 1, user)
        await tx._connection.execute("INSERT INTO outbox (event_id, event_at, event) VALUES ($1, now(), '{}')", user)
        await append_event(tx._connection, 2, user)
    assert (await store.number(lease, {}, renditions_of)).events == 3
    assert await numbered(pool, f"user:{user}") == [(1, 1), (2, 2)]


async def test_marks_never_pass_the_head_nor_go_back(pool: asyncpg.Pool, store: RelayStore) -> None:
    """Failed against: plain assignment."""
    lease, user = await lead(pool), uuid.uuid4()
    for number in (1, 2, 3):
        async with committed(pool) as tx:
            await append_event(tx._connection, number, user, ("PUBLIC_ANON",))
    await number_all(store, lease)
    mine = user_channel(str(user))
    assert [page async for page in store.unpublished()] == [[COMMUNITY, mine]]
    await store.mark_published({COMMUNITY: 9, mine: 2})
    assert await store.heads([COMMUNITY, mine]) == {COMMUNITY: Head(3, 3), mine: Head(3, 2)}
    await store.mark_published({mine: 1})
    assert (await store.heads([mine]))[mine] == Head(3, 2)
    assert [page async for page in store.unpublished()] == [[mine]]
    await store.mark_published({mine: 3})
    assert [page async for page in store.unpublished()] == [[]]  # looked at, and nothing lacks
    assert [page async for page in store.streams()] == [[COMMUNITY]]


async def test_one_holder_at_a_time_and_a_rising_term(pool: asyncpg.Pool, store: RelayStore) -> None:
    """Failed against: a claim that did not look at the term."""
    first, second = Leader(pool, "relay", "first"), Leader(pool, "relay", "second")
    lease = await first.take()
    assert lease is not None
    assert lease.term == 1
    assert await second.take() is None
    await first.renew(lease)
    await first.release(lease)
    assert not await pool.fetchval("SELECT until > clock_timestamp() FROM leases")
    successor = await second.take()
    assert successor is not None
    assert successor.term == 2
    with pytest.raises(LeaseLostError):
        await first.renew(lease)
    async with committed(pool) as tx:
        await append_event(tx._connection, 1, uuid.uuid4())
    assert (await store.number(lease, {}, renditions_of)).events == 0  # the deposed one gets nothing
    assert (await store.number(successor, {}, renditions_of)).events == 1


async def test_a_relay_that_was_killed_here_is_followed_at_once(pool: asyncpg.Pool) -> None:
    """Nobody waits for the lease of a process that is known to be dead. Failed against: no look at the process."""
    dead = f"{this_process().rpartition('/')[0]}/1"  # our id, with another start
    assert await Leader(pool, "relay", dead).take() is not None
    lease = await Leader(pool, "relay", this_process()).take()
    assert lease is not None
    assert lease.term == 2


async def test_a_takeover_waits_for_the_batch_at_hand(pool: asyncpg.Pool, store: RelayStore) -> None:
    """While a batch is open its lease cannot be taken, though its time is over; after it the old term gets nothing.

    Failed against: a claim that did not lock the lease.
    """
    claim = load_queries(relay_store.__file__)["claim"]
    async with committed(pool) as tx:
        await append_event(tx._connection, 1, uuid.uuid4())
    lease = await lead(pool, "first")
    await pool.execute("UPDATE leases SET until = clock_timestamp() - interval '1 second'")
    async with committed(pool) as tx:
        assert len(await tx.fetch(claim, lease.name, lease.holder, lease.term, 50, 0)) == 1
        taking = asyncio.create_task(Leader(pool, "relay", "second").take())
        done, _ = await asyncio.wait([taking], timeout=0.3)
        assert not done
    successor = await taking
    assert successor is not None
    assert successor.term == 2
    assert (await store.number(lease, {}, renditions_of)).events == 0
