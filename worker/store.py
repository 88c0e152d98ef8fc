"""The relay's side of PostgreSQL: claims events, gives them their offsets, remembers what was published.

A shell: SQL to values and back. Errors are asyncpg's; config.db.postgres.fault_of says what they mean.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, Protocol

import asyncpg

from config.db.columns import columns
from config.db.database import Transaction
from config.db.postgres import ERRORS, leave_unfit
from config.db.queries import Query, load_queries
from config.events import followers
from config.events.anonymous import renewed_text
from config.limits import (
    CONNECTION_WAIT_S,
    FEED_LIST_EVENTS,
    FEED_STREAM_EVENTS,
    FEED_STREAM_EVENTS_MAX,
    FEED_STREAM_S,
    RELAY_BATCH,
    RELAY_DEPTH_MAX,
    RELAY_PAGE,
    RELAY_REFILLS,
)
from config.tracing import traces
from rt.feed.store import Append
from rt.wire.channels import COMMUNITY, Channel, ChannelKind, parse_stored
from worker.translate import Rendition

RELAY_BATCH_BACKLOG: Final = 200  # of the oldest that wait, where more waits than a batch, and ...
RELAY_OVERTAKING: Final = 200  # ... of the newest: new events are not behind old ones, at up to 1,500 a second
RELAY_WALK: Final = 2_000  # channels looked at between two batches while comparing: some 4 ms

_QUERIES: Final = load_queries(__file__)
_EPOCH: Final = _QUERIES["epoch"]
_PENDING: Final = _QUERIES["pending"]
_PLAN_ANEW: Final = _QUERIES["plan_anew"]
_CLAIM: Final = _QUERIES["claim"]
_NUMBER: Final = _QUERIES["number"]
_MARK_PUBLISHED: Final = _QUERIES["mark_published"]
_UNPUBLISHED: Final = _QUERIES["unpublished"]
_STREAMS: Final = _QUERIES["streams"]
_HEADS: Final = _QUERIES["heads"]
_POSITIONS_AFTER: Final = _QUERIES["positions_after"]
_MISSING_POSITIONS: Final = _QUERIES["missing_positions"]
_NEWEST_POSITIONS: Final = _QUERIES["newest_positions"]
_STREAM_FROM: Final = _QUERIES["stream_from"]
_OUTBOX_DEPTH: Final = _QUERIES["outbox_depth"]

Entries = list[tuple[int, bytes]]


class Held(Protocol):
    """A lease as far as SQL must know it."""

    name: str
    holder: str
    term: int


class Head(NamedTuple):
    """Of one channel: the newest offset, the one up to which everything was published once, and the one up to which
    nothing is kept, which counts as published."""

    last: int
    published: int
    dropped: int = 0


class Kept(NamedTuple):
    """What Redis should have of a channel: its head, what was published, entries oldest first, the last at the head."""

    head: Head
    entries: Entries


class Numbered(NamedTuple):
    """A committed batch: `events` rows of the outbox became `appends`, one per channel."""

    events: int
    appends: list[Append]
    oldest_at: float  # seconds since 1970: when the first of them happened


Translate = Callable[[Sequence[str]], list[Rendition]]
NOTHING: Final = Numbered(0, [], 0.0)


@asynccontextmanager
async def committed(pool: asyncpg.Pool) -> AsyncIterator[Transaction]:
    """A READ COMMITTED transaction: the relay locks what it changes, and must see what was committed meanwhile."""
    try:
        async with asyncio.timeout(CONNECTION_WAIT_S):  # the pool's own timeout costs a task
            connection = await pool.acquire()
        try:
            async with connection.transaction(isolation="read_committed"):
                yield Transaction(connection)
        finally:
            await pool.release(connection)
    except ERRORS as error:
        await leave_unfit(pool, error)
        raise


class RelayStore:
    """Events, offsets and marks in PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def epoch(self) -> str:
        """The epoch of the installation."""
        async with committed(self._pool) as tx:
            return str(await tx.fetchval(_EPOCH))

    async def pending(self) -> bool:
        """Whether an event waits to be numbered."""
        async with committed(self._pool) as tx:
            return bool(await tx.fetchval(_PENDING))

    async def number(
        self, lease: Held, published: Mapping[Channel, int], translate: Translate, *, backlog: bool = False
    ) -> Numbered:
        """Takes events from the outbox and gives their renditions the next offsets, in one commit: the oldest
        RELAY_BATCH, or with a `backlog` more of them, and new ones of other people beside.

        Nothing is taken where the lease is held no more. `published` is marked in the same transaction, if any was
        taken. `translate` gets the events' JSON texts in their order.
        """
        sizes = (RELAY_BATCH_BACKLOG, RELAY_OVERTAKING) if backlog else (RELAY_BATCH, 0)
        began = time.monotonic()
        async with committed(self._pool) as tx:
            if backlog:  # what was planned for a short table would read a long one whole
                await tx.execute(_PLAN_ANEW)
            rows = await tx.fetch(_CLAIM, lease.name, lease.holder, lease.term, *sizes)
            if not rows:
                return NOTHING
            if published:
                await tx.execute(_MARK_PUBLISHED, *columns((c.namespace, c.name, o) for c, o in published.items()))
            renditions = translate([row["event"] for row in sorted(rows, key=lambda row: row["id"])])
            firsts = await tx.fetch(_NUMBER, *columns(_given(renditions))) if renditions else []
        traced = {row["event_id"]: row["trace"] for row in rows if row["trace"]} if traces.on else {}
        went_on = {one: traces.past("relay number", time.monotonic() - began, traced[one]) for one in traced}
        bodies: dict[tuple[str, str], list[bytes]] = {}
        places: dict[tuple[str, str], dict[int, str]] = {}
        for rendition in renditions:
            key = (rendition.channel.namespace, rendition.channel.name)
            place = went_on.get(rendition.source or rendition.event_id)
            if place:
                places.setdefault(key, {})[len(bodies.get(key, ()))] = place
            bodies.setdefault(key, []).append(rendition.body)
        channels = {(r.channel.namespace, r.channel.name): r.channel for r in renditions}
        keys = [(row["namespace"], row["channel"]) for row in firsts]
        appends = [
            Append(
                channels[key],
                row["first"],
                bodies[key],
                row["published_through"] == row["first"] - 1,
                places.get(key, {}),
            )
            for key, row in zip(keys, firsts, strict=True)
        ]
        # The community's times are cut to the minute; owners and apps hear every event at its own time.
        timed = (ChannelKind.USER, ChannelKind.APP)
        times = (r.event_at.timestamp() for r in renditions if r.channel.kind in timed)
        return Numbered(len(rows), appends, min(times, default=0.0))

    async def mark_published(self, published: Mapping[Channel, int]) -> None:
        """Remembers that everything up to these offsets was published once."""
        if published:
            async with committed(self._pool) as tx:
                await tx.execute(_MARK_PUBLISHED, *columns((c.namespace, c.name, o) for c, o in published.items()))

    async def unpublished(self) -> AsyncIterator[list[Channel]]:
        """Channels with events that were not marked as published: for each RELAY_WALK channels that were looked at one
        list, which may be empty."""
        async for rows in self._pages(_UNPUBLISHED, RELAY_WALK):
            yield _channels(row for row in rows if row["behind"])

    async def streams(self) -> AsyncIterator[list[Channel]]:
        """Channels that Redis must always have, in pages of RELAY_REFILLS."""
        async for rows in self._pages(_STREAMS, RELAY_REFILLS):
            yield _channels(rows)

    async def heads(self, channels: Sequence[Channel]) -> dict[Channel, Head]:
        """The heads of these channels; one without an event stands at 0."""
        async with committed(self._pool) as tx:
            rows = await tx.fetch(_HEADS, *_names(channels))
        known = {_key(row): Head(row["last_offset"], row["published"], row["dropped_through"]) for row in rows}
        return {c: known.get((c.namespace, c.name), Head(0, 0)) for c in channels}

    async def missing(self, after: Mapping[Channel, int], most: int) -> list[Append]:
        """For each channel at most `most` entries after the offset given, ready to be appended."""
        after_each = columns((c.namespace, c.name, offset) for c, offset in after.items())
        async with committed(self._pool) as tx:
            rows = await tx.fetch(_MISSING_POSITIONS, *after_each, most)
        bodies: dict[tuple[str, str], list[bytes]] = {}
        for row in rows:
            bodies.setdefault(_key(row), []).append(_body(_key(row), row))
        return [Append(c, o + 1, bodies[key]) for c, o in after.items() if (key := (c.namespace, c.name)) in bodies]

    async def kept_lists(self, channels: Sequence[Channel]) -> dict[Channel, Kept]:
        """What Redis should have of personal channels."""
        async with committed(self._pool) as tx:
            rows = await tx.fetch(_NEWEST_POSITIONS, *_names(channels), FEED_LIST_EVENTS)
        found: dict[tuple[str, str], Kept] = {}
        for row in rows:
            kept = found.setdefault(_key(row), Kept(Head(row["last_offset"], row["published_through"]), []))
            kept.entries.append((row["offset"], _body(_key(row), row)))
        return {c: found.get((c.namespace, c.name), Kept(Head(0, 0), [])) for c in channels}

    async def kept_stream(self, channel: Channel) -> Kept:
        """What Redis should have of a stream: the promised last 1,000 events and 10 minutes, within the maximum."""
        head = (await self.heads([channel]))[channel]
        bounds = (FEED_STREAM_EVENTS, float(FEED_STREAM_S), FEED_STREAM_EVENTS_MAX)
        async with committed(self._pool) as tx:
            first = await tx.fetchval(_STREAM_FROM, channel.namespace, channel.name, *bounds)
        entries: Entries = []
        after = (first or 1) - 1
        while page := await self._entries_after(channel, after):
            entries += page
            after = page[-1][0]
        last = entries[-1][0] if entries else 0  # what was numbered meanwhile is in it
        return Kept(head._replace(last=last), entries[-FEED_STREAM_EVENTS_MAX:])

    async def outbox(self) -> tuple[int, float]:
        """Events that wait, counted to RELAY_DEPTH_MAX, and the age of the oldest in seconds."""
        async with committed(self._pool) as tx:
            row = await tx.fetchrow(_OUTBOX_DEPTH, RELAY_DEPTH_MAX)
        return row["depth"], row["age_s"]

    async def _entries_after(self, channel: Channel, offset: int) -> Entries:
        async with committed(self._pool) as tx:
            rows = await tx.fetch(_POSITIONS_AFTER, channel.namespace, channel.name, offset, RELAY_PAGE)
        return [(row["offset"], _body((channel.namespace, channel.name), row)) for row in rows]

    async def _pages(self, query: Query, size: int) -> AsyncIterator[list[Any]]:
        after = ("", "")
        while True:
            async with committed(self._pool) as tx:
                rows = await tx.fetch(query, *after, size)
            if not rows:
                return
            after = _key(rows[-1])
            yield rows


def _key(row: Any) -> tuple[str, str]:
    return row["namespace"], row["channel"]


def _body(key: tuple[str, str], row: Any) -> bytes:
    """What readers hear of a stored row: of the community never more than it would be told today."""
    body: bytes = row["body"].encode()
    if row["derived"]:
        return followers.of_owner(body)
    return renewed_text(body) if key == (COMMUNITY.namespace, COMMUNITY.name) else body


def _given(renditions: Sequence[Rendition]) -> Iterable[tuple[Any, ...]]:
    """The rows of `number`: a follower's has no body, because the owner's stands before it."""
    for one in renditions:
        body = None if one.channel.kind is ChannelKind.PROFILE else one.body.decode()
        channel = one.channel
        yield channel.namespace, channel.name, one.event_id, one.event_at, body, channel.is_stream, one.source


def _channels(rows: Iterable[Any]) -> list[Channel]:
    return [channel for row in rows if (channel := parse_stored(*_key(row))) is not None]


def _names(channels: Iterable[Channel]) -> tuple[list[Any], ...]:
    return columns(((c.namespace, c.name) for c in channels), 2)
