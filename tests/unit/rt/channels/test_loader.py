"""Who waits for a history: that nobody waits for ever, and what is read for how many."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from config.awake import AwakeClock
from config.redis import RedisClient, connect
from rt.channels.asks import Joining, Parting, UnderWay
from rt.channels.bus import Bus
from rt.channels.hub import Hub
from rt.channels.loader import Loader, _next_wanted
from rt.channels.topic import Topic
from rt.feed.positions import Position
from rt.feed.store import FeedStore
from rt.metrics import Counters
from rt.wire.channels import app_channel
from tests.support.gateway import until

CHANNEL = app_channel("open", "loader")
NOWHERE = "redis://127.0.0.1:1/0"


class Reader:
    """One that hears."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.answers.append(data)

    def part_due(self) -> None:
        """Fetches nothing by itself."""


@pytest.fixture
async def redis() -> AsyncIterator[RedisClient]:
    client = connect(NOWHERE)
    yield client
    await client.aclose()


async def test_who_waits_in_the_queue_is_told_when_it_takes_too_long(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bus has confirmed the channel and no reader comes to it. Failed while only those were looked at whom the bus
    had not confirmed: they waited for as long as the queue was."""
    monkeypatch.setattr("rt.channels.hub.EPOCH_WAIT_S", 0.0)
    monkeypatch.setattr("rt.channels.loader._EXPIRE_EVERY_S", 0.01)
    counters, reader = Counters(), Reader()
    hub = Hub(Bus(NOWHERE, redis, "gateway", counters), counters, asyncio.get_running_loop(), AwakeClock(1.0))
    loader = Loader(hub, FeedStore(redis), counters)
    hub.join(reader, None, CHANNEL, None)
    hub.topics[CHANNEL.wire].confirmed()
    patience = asyncio.ensure_future(loader._expire_forever())
    try:
        await until(lambda: bool(reader.answers))
    finally:
        patience.cancel()
    assert b"UNAVAILABLE" in reader.answers[0]
    assert (hub.under_way.total, hub.topics, counters.unavailable) == (0, {}, 1)


def test_one_who_asks_three_hundred_times_has_one_history_read_at_a_time() -> None:
    """Failed with all that anybody waits for read before anybody is answered: 300 histories at once in memory."""
    topic, greedy, other, leaving = Topic(CHANNEL, UnderWay()), Reader(), Reader(), Reader()
    for offset in range(300, 0, -1):
        topic.wait(Joining(greedy, None, Position("E", offset), 0.0))
    topic.wait(Joining(other, None, Position("E", 7), 0.0))
    topic.wait(Parting(leaving, None))
    topic.wait(Joining(leaving, None, None, 0.0))
    assert _next_wanted(topic) == [Position("E", 7), Position("E", 300), None]
