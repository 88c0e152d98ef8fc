"""Pages of a feed by its offsets, and the way out for events."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from api import outbox
from api.feed.rules import community_feed, cursor_of, dashboard, decode_position
from api.feed.service import Feeds
from config.db.database import Transaction
from config.errors import BadInput
from config.ids import uuid7
from config.redis import connect as connect_redis
from rt.feed.positions import Position
from rt.wire.bus import RELAY_WAKE_CHANNEL
from tests.support.ledger import NOW, Ledger, connection, ledger, query
from tests.support.stores import Database


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Ledger]:
    async with ledger(database) as made:
        yield made


NUMBER = """
WITH head AS (INSERT INTO feed_channels (namespace, channel, last_offset) VALUES ('musclemap', $1::text, $2::int))
INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body)
SELECT 'musclemap', $1::text, n, gen_random_uuid(), now(),
       json_build_object('id', n::text, 'v', 1, 'type', 'x', 'created_at', now(), 'data', json_build_object())
  FROM generate_series(1, $2::int) AS n
"""


async def test_pages_go_back_without_hole_or_repeat(books: Ledger, database: Database) -> None:
    """Defect seen failing: `<=` for `<` in the statement."""
    feed = community_feed()
    empty = await Feeds(books.db).page(feed)
    assert (empty.events, empty.position.offset, empty.has_next) == ((), 0, False)
    async with connection(database.worker_url) as worker:
        await worker.execute(NUMBER, "community", 25)
    seen: list[int] = []
    after = None
    while True:
        page = await Feeds(books.db).page(feed, 10, after)
        seen += [int(one.event.id) for one in page.events]
        assert page.position == Position(empty.position.epoch, 25)
        assert [decode_position(one.cursor).offset for one in page.events] == [int(one.event.id) for one in page.events]
        after = page.events[-1].cursor
        if not page.has_next:
            break
    assert seen == list(range(25, 0, -1))
    assert (await Feeds(books.db).page(feed, 10, after)).events == ()
    assert (await Feeds(books.db).page(dashboard(uuid7()))).position.offset == 0


async def test_a_cursor_from_before_a_restore_is_said_to_be_one(books: Ledger) -> None:
    with pytest.raises(BadInput) as caught:
        await Feeds(books.db).page(community_feed(), after=cursor_of(Position("another", 5)))
    assert caught.value.field == "after"


async def test_an_event_is_recorded_with_what_caused_it_or_not_at_all(books: Ledger) -> None:
    user = await books.user()
    account = (await books.everything.fetchrow(query("SELECT account_id FROM users")))["account_id"]

    def event(name: str) -> outbox.Event:
        return outbox.Event(uuid7(), NOW, "level_up", 1, account, user, name, ("PRIVATE",), {"level": 2})

    async def kept(tx: Transaction) -> None:
        await outbox.append(tx, event("Ann"))

    async def undone(tx: Transaction) -> None:
        await outbox.append(tx, event("Bob"))
        raise BadInput

    await books.of(user).write(kept)
    with pytest.raises(BadInput):
        await books.of(user).write(undone)
    (row,) = await books.everything.fetch(query("SELECT event::text AS event FROM outbox"))
    told = orjson.loads(row["event"])
    assert (told["user"]["name"], told["data"], told["visibility"]) == ("Ann", {"level": 2}, ["PRIVATE"])
    assert len(await books.everything.fetch(query("SELECT FROM activity_events"))) == 1


async def test_the_relay_is_woken_and_nobody_waits_for_a_redis_that_is_away(redis_url: str) -> None:
    for url, heard in (("redis://127.0.0.1:1", 0), (redis_url, 1)):
        sender, listener = connect_redis(url), connect_redis(redis_url)
        wake = outbox.Wake(sender)
        running = asyncio.ensure_future(wake.run())
        async with listener.pubsub() as bus:
            await bus.subscribe(RELAY_WAKE_CHANNEL)
            await bus.get_message(timeout=5)
            for _ in range(5):
                wake.soon()
            message = await bus.get_message(ignore_subscribe_messages=True, timeout=5 if heard else 0.2)
            assert (message is not None) == bool(heard)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await sender.aclose()
        await listener.aclose()
