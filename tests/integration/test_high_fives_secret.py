"""A high five for an anonymous event tells its sender nothing of the owner: not by what is answered, counted, read,
written, or waited for."""

import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from api.highfives.rules import Sent
from config.ids import uuid7
from tests.support.community import Community, community
from tests.support.ledger import NOW
from tests.support.stores import Database

CALL: Final = "SELECT * FROM send_high_five($1, $2, $3, 0, 500, now())"
# What one transaction read and wrote, by table; a month counts as its table.
TOUCHED: Final = """
SELECT regexp_replace(relname, '_(\\d{4}_\\d{2}|other)$', '') AS name, sum(seq_scan)::int AS scans,
       sum(idx_scan)::int AS looks, sum(n_tup_ins)::int AS inserted, sum(n_tup_upd)::int AS updated
  FROM pg_stat_xact_user_tables GROUP BY 1 HAVING sum(seq_scan + idx_scan + n_tup_ins + n_tup_upd) > 0"""
ROUNDS: Final = 12
PAGES_APART: Final = 6  # of some 42: a row is found or not, an index has a page more; an event has twice as many
TIMES_APART: Final = 2  # medians of a machine that does other things too

Story = Callable[[Community, UUID, UUID, UUID], Awaitable[None]]


@pytest.fixture
async def people(database: Database) -> AsyncIterator[Community]:
    async with community(database) as made:
        yield made


async def stranger(people: Community, sender: UUID, owner: UUID, event: UUID) -> None:
    """Nothing is between them: the owner hears."""


async def follower(people: Community, sender: UUID, owner: UUID, event: UUID) -> None:
    await people.follow(sender, owner)


async def blocked(people: Community, sender: UUID, owner: UUID, event: UUID) -> None:
    await people.block(owner, sender)


async def blocking(people: Community, sender: UUID, owner: UUID, event: UUID) -> None:
    await people.block(sender, owner)


async def known(people: Community, sender: UUID, owner: UUID, event: UUID) -> None:
    """The owner has heard, by the same event on the profile."""
    await people.follow(sender, owner)
    await people.high_fives(sender).send(sender, str(event), "k", NOW)


async def gone(people: Community, sender: UUID, owner: UUID, event: UUID) -> None:
    """The owner has deleted the account."""
    await people.owner.execute("DELETE FROM users WHERE id = $1", owner)
    await people.owner.execute("DELETE FROM feed_positions WHERE channel LIKE '%' || $1::text", str(owner))


async def forgotten(people: Community, sender: UUID, owner: UUID, event: UUID) -> None:
    """The release before numbered it, and whose it is is not known."""
    await people.owner.execute("UPDATE stream_positions SET source_event = NULL WHERE source_event = $1", event)


STORIES: Final[Mapping[str, Story]] = {
    one.__name__: one for one in (stranger, follower, blocked, blocking, known, gone, forgotten)
}


async def prepared(people: Community, story: Story) -> tuple[UUID, UUID]:
    """(sender, an anonymous event) after that story. Each sender has sent one for something else before."""
    owner, sender, other = [await people.books.user() for _ in range(3)]
    _, elsewhere = await people.happens(other)
    event, anonymous = await people.happens(owner)
    assert anonymous is not None
    await people.high_fives(sender).send(sender, str(elsewhere), "k", NOW)
    await story(people, sender, owner, event)
    return sender, anonymous


async def test_what_is_answered_and_counted_is_the_same(people: Community) -> None:
    """Seen failing with NOT_FOUND for whoever is blocked."""
    for name, story in STORIES.items():
        sender, anonymous = await prepared(people, story)
        for existing in (False, True):
            sent = await people.high_fives(sender).send(sender, str(anonymous), "k", NOW)
            assert sent == Sent(anonymous, 1, existing), name
        (shown,) = [one for one in await people.page("community") if one.event.id == str(anonymous)]
        assert shown.event.actor is None


async def test_the_same_is_read_and_written_whoever_the_owner_is(people: Community) -> None:
    """By table: scans, looks into indexes, rows. Seen failing with an event recorded for those alone who hear it, with
    blocks of the one side looked up only where the other has none, and with an owner who is gone looked up no
    further."""
    touched: dict[str, dict[str, tuple[int, ...]]] = {}
    pages: dict[str, int] = {}
    for name, story in [*STORIES.items()] * 2:  # the first round fills caches and tables
        sender, anonymous = await prepared(people, story)
        async with rolled_back(people.owner):
            before = await counters(people.owner)
            assert (await people.owner.fetchrow(CALL, sender, anonymous, uuid7()))["outcome"] == "sent"
            after = await counters(people.owner)
        nothing = (0, 0, 0, 0)
        touched[name] = {
            table: tuple(now - then for now, then in zip(counts, before.get(table, nothing), strict=True))
            for table, counts in after.items()
            if counts != before.get(table)
        }
        async with rolled_back(people.owner):
            explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {CALL}"
            (row,) = await people.owner.fetch(explain, sender, anonymous, uuid7())
        plan = json.loads(row[0])[0]["Plan"]
        pages[name] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    expected = touched["stranger"]
    assert expected["outbox"][2] == expected["activity_events"][2] == 1
    # The row that says whether the owner has heard is there already, and stays as it is.
    notices = {name: one.pop("high_five_notices") for name, one in touched.items()}
    assert notices.pop("known")[2:] in ((0, 0), (0, 1))
    assert set(notices.values()) == {notices["stranger"]}
    assert touched == dict.fromkeys(touched, expected)
    assert max(pages.values()) - min(pages.values()) <= PAGES_APART, pages


async def counters(connection: asyncpg.Connection) -> dict[str, tuple[int, ...]]:
    """Of each table that this session has touched: scans, looks into indexes, rows inserted and updated."""
    return {row["name"]: tuple(row)[1:] for row in await connection.fetch(TOUCHED)}


class rolled_back:  # noqa: N801 - read as a phrase
    """A transaction that leaves nothing."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._transaction = connection.transaction(isolation="serializable")

    async def __aenter__(self) -> None:
        await self._transaction.start()

    async def __aexit__(self, *_: object) -> None:
        await self._transaction.rollback()


@pytest.mark.alone
async def test_it_takes_the_same_time(people: Community) -> None:
    """Medians over interleaved rounds, as a check of what is counted above: wide, for machines are not quiet. Seen
    failing with a sleep for those of whom the owner does not hear."""
    took: dict[str, list[float]] = {}
    names = ["stranger", "blocked", "known", "gone"]
    for _ in range(ROUNDS):
        names = [*names[1:], names[0]]  # whoever is first finds other caches
        for name in names:
            sender, anonymous = await prepared(people, STORIES[name])
            started = time.perf_counter()
            await people.high_fives(sender).send(sender, str(anonymous), "k", NOW)
            took.setdefault(name, []).append(time.perf_counter() - started)
    medians = {name: statistics.median(one) for name, one in took.items()}
    assert max(medians.values()) < TIMES_APART * min(medians.values()), medians


async def test_two_at_once_wait_for_each_other_whatever_they_are_for(people: Community) -> None:
    """A second one of the same sender waits for the row of the sender, also where the two have nothing to do with each
    other: that it waits does not say that they are of one event. Seen failing with that row locked last."""
    waits: Counter[str] = Counter()
    for name in ("one event", "two events"):
        sender, owner, other = [await people.books.user() for _ in range(3)]
        event, anonymous = await people.happens(owner)
        await people.follow(sender, owner)
        await people.follow(sender, other)
        if name == "two events":
            event, _ = await people.happens(other)
        pool = people.books.db.pool
        async with pool.acquire() as first, pool.acquire() as second:
            begun = first.transaction(isolation="serializable")
            await begun.start()
            await first.fetchrow(CALL, sender, anonymous, uuid7())
            await second.execute("SET lock_timeout TO '100ms'")
            with pytest.raises(asyncpg.LockNotAvailableError) as caught:
                await second.fetchrow(CALL, sender, event, uuid7())
            await second.execute("RESET lock_timeout")
            waits[_relation(caught.value)] += 1
            await begun.rollback()
    assert waits == {"high_five_senders": 2}


def _relation(error: Any) -> str:
    """The table for whose row somebody waited, by the words of the server."""
    return str(error.context).partition('relation "')[2].partition('"')[0]
