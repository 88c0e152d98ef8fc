"""Feeds of others: a profile's, and that of all whom one follows, against a plain merge."""

import asyncio
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from api.feed.rules import FeedPage, MergedPage
from api.feed.service import Feeds
from config.db.database import Transaction
from config.db.queries import Query
from config.errors import BadInput, NotFound
from config.ids import uuid7
from rt.wire.channels import profile_channel
from tests.integration.test_following import refused
from tests.support.feed import data_of
from tests.support.ledger import NOW, connection
from tests.support.people_graph import People, people
from tests.support.stores import Database

MS = int(NOW.timestamp() * 1000)
HEADS = """
INSERT INTO feed_channels (namespace, channel, last_offset, published_through)
SELECT 'musclemap', kind || ':' || $1::uuid, $2, $2 FROM unnest('{user,profile}'::text[]) AS kind
"""
POSITIONS = """
INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body, source)
SELECT 'musclemap', p.* FROM unnest($2::uuid[]) WITH ORDINALITY AS e (id, n), LATERAL (VALUES
  ('user:' || $1::uuid, n, id, now(), json_build_object('id', id, 'v', 1, 'type', 'level_up', 'created_at', now(),
    'actor', json_build_object('id', $1::uuid, 'name', 'Ann'), 'data', json_build_object('level', n, 'note', 'mine')),
   NULL::bigint),
  ('profile:' || $1::uuid, n, id, now(), NULL, n)) AS p
"""


async def publish(owner: asyncpg.Connection, user: UUID, ids: list[UUID]) -> None:
    """What the relay leaves of a user's events, in the order of their ids."""
    await owner.execute(HEADS, user, len(ids))
    await owner.execute(POSITIONS, user, sorted(ids))


def ids_of(page: FeedPage | MergedPage) -> list[str]:
    return [one.event.id for one in page.events]


async def all_of(here: People, viewer: UUID, size: int) -> list[str]:
    """The whole feed, by its pages."""
    read: list[str] = []
    after: str | None = None
    while True:
        page = await here.feeds.following(viewer, size, after)
        read += ids_of(page)
        if not page.has_next:
            return read
        assert len(page.events) == size
        after = page.events[-1].cursor


async def test_the_merged_feed_is_the_merge_of_all(database: Database) -> None:
    """Pages of any size, of one who is followed and of many, some silent, some prolific. Seen failing with the newest
    of each alone, and with those who chose NOBODY left in."""
    async with people(database) as here, connection(database.owner_url) as owner:
        chance = random.Random(3)
        viewer, lonely = await here.add("Viewer"), await here.add("Lonely")
        owners = [await here.add(f"O{number}") for number in range(30)]
        told: dict[UUID, list[UUID]] = {}
        for number, one in enumerate(owners):
            count = (0, 1, 3, 120)[number % 4]
            told[one] = [uuid7(MS - chance.randrange(50 if number % 3 else 50_000)) for _ in range(count)]
            await publish(owner, one, told[one])
            await here.community.follow(viewer, one, NOW)
        gone, hidden, blocker = owners[3], owners[7], owners[11]
        await here.community.unfollow(viewer, gone, NOW)
        await here.audience(hidden, "nobody")
        await here.community.block(blocker, viewer, NOW)
        await here.audience(owners[15], "followers")
        for size in (1, 7, 100):
            whole = sorted((i for one in owners if one not in (gone, hidden, blocker) for i in told[one]), reverse=True)
            wanted = [str(one) for one in whole]
            if size == 1:  # a page after each is enough of a few
                wanted, viewer_of = [str(one) for one in sorted(told[owners[2]], reverse=True)], lonely
                await here.community.follow(lonely, owners[2], NOW)
            else:
                viewer_of = viewer
            assert await all_of(here, viewer_of, size) == wanted

        page = await here.feeds.following(viewer, 5)
        assert page.position is None
        assert not [one for one in page.events if "note" in data_of(one.event)]
        assert ids_of(await here.feeds.following(await here.add("New"))) == []
        for wrong in (
            "x",
            page.events[0].event.id,
            profile_cursor(await here.feeds.profile(owners[15], owners[15])),
        ):
            assert await refused(here.feeds.following(viewer, 5, wrong)) is BadInput


def profile_cursor(page: FeedPage) -> str:
    return page.events[0].cursor


async def test_a_profile_is_two_statements_and_for_followers_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profile with its streak, and 20 events. Seen failing with a statement that asked beforehand who may read."""
    async with people(database) as here, connection(database.owner_url) as owner:
        ann, bob = await here.add("Ann"), await here.add("Bob")
        ids = [uuid7(MS + number) for number in range(30)]
        await publish(owner, ann, ids)
        today = NOW.date()
        await owner.execute(
            "INSERT INTO progress (user_id, xp, level, streak_days, streak_last, updated_at)"
            " VALUES ($1, 350, 3, 4, $2, $3)"
            " ON CONFLICT (user_id) DO UPDATE SET xp = 350, level = 3, streak_days = 4, streak_last = $2",
            ann, today - timedelta(days=1), NOW,
        )  # fmt: skip
        assert await refused(here.feeds.profile(bob, ann)) is NotFound
        assert await refused(here.feeds.profile(bob, uuid7())) is NotFound
        await here.community.follow(bob, ann, NOW)

        statements: list[str] = []
        timed = Transaction._timed

        def counted(tx: Transaction, statement: Query, *rest: Any) -> Any:
            statements.append(statement.name)
            return timed(tx, statement, *rest)

        monkeypatch.setattr(Transaction, "_timed", counted)
        profile = await here.community.profile(bob, ann, NOW)
        page = await here.feeds.profile(bob, ann, 20)
        assert len(statements) == 2, statements
        assert (profile.xp, profile.level, profile.streak, profile.followers) == (350, 3, 4, 1)
        assert ids_of(page) == [str(one) for one in reversed(ids[10:])]
        assert page.position.offset == 30
        assert data_of(page.events[0].event) == {"level": 30}
        rest = await here.feeds.profile(bob, ann, 20, page.events[-1].cursor)
        assert ids_of(rest) == [str(one) for one in reversed(ids[:10])]
        assert not rest.has_next
        same = await Feeds(here.books.db.of(bob)).page(profile_channel(str(ann)), 20)
        assert ids_of(same) == ids_of(page)

        for days, streak in ((0, 4), (1, 4), (2, 0)):
            later = NOW + timedelta(days=days - 1)
            assert (await here.community.profile(bob, ann, later)).streak == streak


async def test_a_feed_of_thousands_takes_milliseconds(database: Database) -> None:
    """Of 3,000 who are followed, each with events. What it reads is held by test_every_statement; here, that it is
    no scan."""
    async with people(database) as here, connection(database.owner_url) as owner:
        viewer = await here.add("Viewer")
        await owner.execute(MANY, viewer, NOW, 3_000)
        await owner.execute("ANALYZE")
        assert len((await here.feeds.following(viewer, 100)).events) == 100
        loop = asyncio.get_running_loop()
        took_s = []
        after: str | None = None
        for _ in range(5):
            began = loop.time()
            page = await here.feeds.following(viewer, 100, after)
            took_s.append(loop.time() - began)
            after = page.events[-1].cursor
        print(f"\na page of 100 of 3,000 who are followed: {min(took_s) * 1000:.1f} ms")
        assert min(took_s) < 0.5


MANY = """
WITH made AS (
  SELECT n, gen_random_uuid() AS id, gen_random_uuid() AS account FROM generate_series(1, $3::int) AS n
), accounts_made AS (
  INSERT INTO accounts (id, kind, created_at) SELECT account, 'user', $2::timestamptz FROM made
), users_made AS (
  INSERT INTO users (id, account_id, email, name, password_hash, created_at, updated_at)
  SELECT id, account, id || '@example.org', 'O' || n, '', $2, $2 FROM made
), followed AS (
  INSERT INTO follows (follower_id, followee_id, state, since) SELECT $1::uuid, id, 'following', $2 FROM made
)
INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body)
SELECT 'musclemap', 'profile:' || id, e, x.event_id, $2,
       json_build_object('id', x.event_id, 'v', 1, 'type', 'x', 'created_at', $2, 'data', json_build_object())
  FROM made, generate_series(1, 5) AS e, LATERAL (SELECT gen_random_uuid() AS event_id WHERE e > 0) AS x
"""
