"""What an earlier version stored for the community is told no more: not by pages, nor by the relay, nor from Redis."""

import copy
import uuid
from pathlib import Path

import asyncpg
import orjson

from api.feed.rules import community_feed
from api.feed.service import Feeds
from config.redis import connect
from rt.feed.positions import Position
from rt.feed.store import FeedStore
from rt.wire.bus import RENDITIONS_KEY
from rt.wire.channels import COMMUNITY
from tests.integration.test_relay_faults import worker_fleet
from tests.support.feed import data_of
from tests.support.ledger import ledger
from tests.support.relay import append_event, eventually
from tests.support.stores import Database
from tests.unit.config.events.test_anonymous import OLD

STORED = """
WITH head AS (INSERT INTO feed_channels (namespace, channel, last_offset, published_through)
              VALUES ('musclemap', 'community', $1::int, $1::int))
INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body)
SELECT 'musclemap', 'community', n, gen_random_uuid(), now(), $2::json FROM generate_series(1, $1::int) AS n
"""
OLD_ONES = 3


async def test_details_of_earlier_versions_are_told_no_more(database: Database, redis_url: str, tmp_path: Path) -> None:
    """Seen failing for the page without `renewed`; for Redis without the mark, and without `renewed_text`."""
    connection = await asyncpg.connect(database.superuser_url)
    body = orjson.dumps(copy.deepcopy(OLD))
    await connection.execute(STORED, OLD_ONES, body.decode())
    epoch = await connection.fetchval("SELECT epoch FROM installation")
    async with ledger(database) as books:
        page = await Feeds(books.db).page(community_feed())
    data = [data_of(one.event) for one in page.events]
    assert [one["total_tu"] for one in data] == [5_000] * OLD_ONES
    assert all("exercises" not in one for one in data)

    redis = connect(redis_url)
    store = FeedStore(redis)
    try:
        await redis.delete(RENDITIONS_KEY)
        await store.refill(COMMUNITY, epoch, OLD_ONES, [(n, body) for n in range(1, OLD_ONES + 1)])
        async with worker_fleet(database.worker_url, redis_url, tmp_path):
            await append_event(connection, 7_000, uuid.uuid4())  # a new one goes on behind them
            history = await eventually(
                lambda: store.read(COMMUNITY, Position(epoch, 0)),
                lambda found: found is not None and bool(found.recovered) and len(found.events) == OLD_ONES + 1,
            )
            assert history is not None
            for _, told in history.events:
                assert orjson.loads(told)["v"] == 2
                assert b"farmers-walk" not in told
    finally:
        await redis.aclose()
        await connection.close()
