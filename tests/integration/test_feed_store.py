"""Feeds in a real Redis: only the next offset is accepted, recovery is whole, an older relay is refused."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from config.limits import APP_STREAM_S, FEED_LIST_EVENTS, FEED_LIST_S, FEED_STREAM_EVENTS, FEED_STREAM_EVENTS_MAX
from config.redis import RedisClient, connect
from rt.feed.positions import Position
from rt.feed.store import Append, FeedStore, TermOutdatedError
from rt.wire.bus import REFILL_LIST, Batch, decode_batch
from rt.wire.channels import COMMUNITY, Channel, app_channel, bus_channel, history_key, meta_key, user_channel
from rt.wire.frames import split_frames
from tests.support.relay import subscribe

MINE = user_channel("u1")
BOTH = pytest.mark.parametrize("channel", [COMMUNITY, MINE], ids=["stream", "list"])
E = "epoch1"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def store(redis: RedisClient) -> FeedStore:
    return FeedStore(redis)


def bodies(first: int, last: int) -> list[bytes]:
    return [b'{"id":"e%d"}' % offset for offset in range(first, last + 1)]


def entries(first: int, last: int) -> list[tuple[int, bytes]]:
    return list(zip(range(first, last + 1), bodies(first, last), strict=True))


@BOTH
async def test_only_the_next_offset_is_accepted(store: FeedStore, channel: Channel) -> None:
    """Failed against: `first < expected` taken as an append."""
    assert await store.append(channel, E, 1, bodies(1, 1)) == 0  # nobody has told Redis of this channel
    assert await store.read(channel, None) is None
    await store.refill(channel, E, 0, [])
    assert await store.append(channel, E, 1, bodies(1, 3)) is None
    assert await store.append(channel, E, 1, bodies(1, 3)) == 4  # repeated: no effect
    assert await store.append(channel, E, 3, bodies(3, 4)) == 4
    assert await store.append(channel, E, 5, bodies(5, 5)) == 4
    assert await store.append(channel, "other", 4, bodies(4, 4)) == 0
    assert await store.head(channel) == Position(E, 3)
    history = await store.read(channel, Position(E, 0))
    assert history == (E, 3, True, entries(1, 3))


@BOTH
async def test_a_returning_client_gets_all_or_nothing(store: FeedStore, channel: Channel) -> None:
    """D9. Failed against: XRANGE without a look at the oldest entry (a partial replay)."""
    await store.refill(channel, E, 100, entries(51, 100))
    for since, expected in [
        (Position(E, 100), []),  # nothing missed
        (Position(E, 90), entries(91, 100)),
        (Position(E, 50), entries(51, 100)),
    ]:
        assert await store.read(channel, since) == (E, 100, True, expected)
    for since in [
        *(Position(E, offset) for offset in (49, 0, 101, 2**53, 2**63, -1)),
        *(Position(epoch, 90) for epoch in ("other", "")),
    ]:
        assert await store.read(channel, since) == (E, 100, False, [])
    assert await store.read(channel, None) == (E, 100, None, [])


@BOTH
async def test_an_append_is_published_as_one_ready_batch(redis: RedisClient, channel: Channel) -> None:
    store = FeedStore(redis)
    await store.refill(channel, E, 0, [])
    async with redis.pubsub() as bus:
        await subscribe(bus, bus_channel(channel))
        await store.append(channel, E, 1, bodies(1, 2))
        await store.append(channel, E, 5, bodies(5, 5))  # refused: not heard
        await store.refill(channel, E, 9, entries(1, 9))  # not heard either
        await store.append(channel, E, 10, bodies(10, 10))
        heard: list[Batch | None] = []
        while len(heard) < 2:
            message = await bus.get_message(timeout=2)
            if message is not None:
                heard.append(decode_batch(message["data"]))
    first, second = heard
    assert first is not None
    assert second is not None
    assert (first.epoch, first.first, first.size) == (E, 1, 2)
    texts = [frame[2:].decode() for frame in split_frames(first.frames)]
    assert texts[0] == f'{{"type":"event","channel":"{channel.wire}","offset":1,"event":{{"id":"e1"}}}}'
    assert (second.first, second.size) == (10, 1)


@BOTH
async def test_a_relay_of_an_older_term_writes_nothing(store: FeedStore, channel: Channel) -> None:
    """Failed against: no look at the term in append.lua, and in refill.lua."""
    await store.refill(channel, E, 0, [], term=3)
    assert await store.append(channel, E, 1, bodies(1, 1), term=4) is None
    with pytest.raises(TermOutdatedError):
        await store.append(channel, E, 2, bodies(2, 2), term=3)
    with pytest.raises(TermOutdatedError):
        await store.refill(channel, E, 0, [], term=3)
    assert await store.head(channel) == Position(E, 1)
    assert await store.append(channel, E, 2, bodies(2, 2), term=4) is None


async def test_a_stream_is_trimmed_by_count_only_when_it_is_old(redis: RedisClient, store: FeedStore) -> None:
    """Failed against: XTRIM MAXLEN of 1,000."""
    head = FEED_STREAM_EVENTS_MAX - 500
    await store.refill(COMMUNITY, E, head, entries(head - 9_000 + 1, head))
    for _ in range(10):
        await store.append(COMMUNITY, E, head + 1, bodies(head + 1, head + 150))
        head += 150
    size = await redis.xlen(history_key(COMMUNITY))
    assert size == FEED_STREAM_EVENTS_MAX  # all of it is younger than ten minutes: only the maximum bounds it
    history = await store.read(COMMUNITY, Position(E, head - FEED_STREAM_EVENTS))
    assert history is not None
    assert len(history.events) == FEED_STREAM_EVENTS
    assert history.recovered is True


async def test_a_personal_channel_is_short_and_forgotten(redis: RedisClient, store: FeedStore) -> None:
    """Failed against: an expiry of the meta alone; LTRIM to 51."""
    await store.refill(MINE, E, 0, [])
    await store.append(MINE, E, 1, bodies(1, 40))
    await store.append(MINE, E, 41, bodies(41, 70))
    assert await redis.llen(history_key(MINE)) == FEED_LIST_EVENTS
    assert await store.read(MINE, Position(E, 20)) == (E, 70, True, entries(21, 70))
    assert await store.read(MINE, Position(E, 19)) == (E, 70, False, [])
    for key in (meta_key(MINE), history_key(MINE)):
        assert FEED_LIST_S - 5 <= await redis.ttl(key) <= FEED_LIST_S


async def test_a_channel_that_nobody_uses_is_forgotten_one_in_use_stays(redis: RedisClient, store: FeedStore) -> None:
    """Clients may ask for any name of an open app; an app's stays for a while after each event. Failed against: no
    PERSIST at the first append."""
    await store.refill(COMMUNITY, E, 0, [])
    assert await redis.ttl(meta_key(COMMUNITY)) > 0
    await store.append(COMMUNITY, E, 1, bodies(1, 1))
    assert await redis.ttl(meta_key(COMMUNITY)) == await redis.ttl(history_key(COMMUNITY)) == -1
    channel = app_channel("polls", "any")
    await store.refill(channel, E, 0, [])
    for number in (1, 2):
        await redis.expire(meta_key(channel), 10)
        await store.append(channel, E, number, bodies(number, number))
        for key in (meta_key(channel), history_key(channel)):
            assert APP_STREAM_S - 5 <= await redis.ttl(key) <= APP_STREAM_S


async def test_a_large_refill_is_seen_whole_or_not_at_all(redis: RedisClient, store: FeedStore) -> None:
    """Readers beside a refill in many parts. Failed against: parts that went into the history itself."""
    await store.refill(COMMUNITY, E, 3, entries(1, 3))
    seen: set[int] = set()

    async def look() -> None:
        while not done.is_set():
            history = await store.read(COMMUNITY, Position(E, 0))
            assert history is not None
            assert history.recovered
            seen.add(len(history.events))

    done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(look())
        for _ in range(5):
            await store.refill(COMMUNITY, E, 3_000, entries(1, 3_000))
        done.set()
    assert seen <= {3, 3_000}
    assert not [key async for key in redis.scan_iter(match="*refill*")]


async def test_a_server_that_forgot_its_scripts_gets_them_again(redis: RedisClient, store: FeedStore) -> None:
    """Failed against: NOSCRIPT raised out of a pipeline."""
    channels = [COMMUNITY, *(user_channel(f"u{n}") for n in range(5))]
    for channel in channels:
        await store.refill(channel, E, 0, [])
    for offset in (1, 2, 3):
        await redis.script_flush()
        appends = [Append(channel, offset, bodies(offset, offset)) for channel in channels]
        assert await store.append_many(E, appends) == [None] * len(channels)
    await redis.script_flush()
    assert [position.offset for position in await store.heads(channels) if position] == [3] * len(channels)


async def test_a_flood_of_refill_requests_is_bounded(redis: RedisClient, store: FeedStore) -> None:
    await store.request_refill([])
    for start in range(0, 12_000, 4_000):
        await store.request_refill(user_channel(f"u{n}") for n in range(start, start + 4_000))
    assert await redis.llen(REFILL_LIST) == 10_000


async def test_nothing_is_lost_between_history_and_live_stream(redis_url: str, redis: RedisClient) -> None:
    """D8: 100 clients join by subscribing to the bus, then reading, while events are being published; each has every
    event once. Failed against: reading before subscribing.
    """
    store = FeedStore(redis)
    await store.refill(COMMUNITY, E, 0, [])
    chance = random.Random(8)
    last = 400

    async def publish() -> None:
        for offset in range(1, last + 1):
            assert await store.append(COMMUNITY, E, offset, bodies(offset, offset)) is None
            await asyncio.sleep(0)

    async def join(client: RedisClient) -> list[int]:
        await asyncio.sleep(chance.random() * 0.4)
        async with client.pubsub() as bus:
            await subscribe(bus, bus_channel(COMMUNITY))
            await asyncio.sleep(chance.random() * 0.02)
            history = await FeedStore(client).read(COMMUNITY, Position(E, 0))
            assert history is not None
            heard = [offset for offset, _ in history.events]
            while not heard or heard[-1] < last:
                message = await bus.get_message(timeout=5)
                if message is None:
                    continue
                batch = decode_batch(message["data"])
                assert batch is not None
                heard += range(max(batch.first, (heard[-1] if heard else 0) + 1), batch.last + 1)
        return heard

    clients = connect(redis_url, connections=110)
    joins = [asyncio.create_task(join(clients)) for _ in range(100)]
    await publish()
    for heard in await asyncio.gather(*joins):
        assert heard == list(range(1, last + 1))
    await clients.aclose()


async def test_a_cancelled_command_is_cancelled(redis: RedisClient) -> None:
    """A task that talks to Redis ends when it is cancelled, at whatever moment; a shutdown depends on it.

    Failed against: redis-py's own connection, which sends through asyncio.wait_for: 4 of 100 lived on.
    """
    chance = random.Random(1)

    async def talk() -> None:
        while True:
            await redis.rpop("nothing", 5)

    survivors = 0
    for _ in range(150):
        task = asyncio.create_task(talk())
        await asyncio.sleep(0.001 + chance.random() * 0.003)
        task.cancel()
        _, pending = await asyncio.wait([task], timeout=0.5)
        survivors += len(pending)
        for one in pending:
            one.cancel()
    assert survivors == 0


async def test_a_list_begins_with_the_events_at_hand(redis: RedisClient, store: FeedStore) -> None:
    """Redis lacks a personal channel: it begins with the new event, and says nothing of what it does not have.

    Failed against: a list that begins without `from`.
    """
    await store.append_many(E, [Append(MINE, 70, bodies(70, 71), begins=True)])
    assert await redis.llen(history_key(MINE)) == 2
    assert 0 < await redis.ttl(meta_key(MINE)) <= FEED_LIST_S
    assert await store.partial([MINE, COMMUNITY]) == {MINE}
    assert await store.read(MINE, None) == (E, 71, None, [])
    assert await store.read(MINE, Position(E, 71)) == (E, 71, True, [])
    assert await store.read(MINE, Position(E, 69)) == (E, 71, True, entries(70, 71))
    assert await store.read(MINE, Position(E, 68)) is None  # it must be asked of the relay ...
    assert await store.read(MINE, Position(E, 21)) is None
    assert await store.read(MINE, Position(E, 20)) == (E, 71, False, [])  # ... or was never promised
    assert await store.read(MINE, Position("other", 70)) == (E, 71, False, [])
    assert await store.append(MINE, E, 72, bodies(72, 118)) is None
    assert await store.read(MINE, Position(E, 68)) is None
    assert await store.append(MINE, E, 119, bodies(119, 119)) is None
    assert await store.partial([MINE]) == set()
    assert await store.read(MINE, Position(E, 69)) == (E, 119, True, entries(70, 119))
    assert await store.read(MINE, Position(E, 68)) == (E, 119, False, [])


async def test_a_list_that_began_is_refilled_whole(store: FeedStore) -> None:
    await store.append_many(E, [Append(MINE, 3, bodies(3, 3), begins=True)])
    assert await store.read(MINE, Position(E, 0)) is None
    await store.refill(MINE, E, 3, entries(1, 3))
    assert await store.partial([MINE]) == set()
    assert await store.read(MINE, Position(E, 0)) == (E, 3, True, entries(1, 3))


@pytest.mark.parametrize("channel", [COMMUNITY, user_channel("u2")], ids=["stream", "list"])
async def test_only_an_absent_list_begins(store: FeedStore, channel: Channel) -> None:
    if channel.is_stream:
        assert await store.append_many(E, [Append(channel, 7, bodies(7, 7), begins=True)]) == [0]
    else:
        await store.refill(channel, "other", 3, entries(1, 3))
        assert await store.append_many(E, [Append(channel, 4, bodies(4, 4), begins=True)]) == [0]
        await store.refill(channel, E, 3, entries(1, 3))
        assert await store.append_many(E, [Append(channel, 5, bodies(5, 5), begins=True)]) == [4]
    await store.refill(channel, E, 0, [])
    assert await store.append_many(E, [Append(channel, 1, bodies(1, 1), begins=True)]) == [None]
    assert await store.partial([channel]) == set()
