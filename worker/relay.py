"""The relay: what was committed gets its offsets, then goes to Redis, in order, at least once.

One relay leads at a time. Numbering a batch (one transaction) and publishing the one before it run side by side; woken
by the API through Redis, it looks by itself every RELAY_POLL_S, or less often while it is idle and can hear. While
Redis is away numbering goes on, because pages and cursors need the offsets; publishing resumes from the marks in
PostgreSQL.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

import asyncpg
import orjson
import structlog

from config.db.postgres import ERRORS
from config.limits import RELAY_BATCH, RELAY_IDLE_POLL_S, RELAY_PAGE, RELAY_RETRY_S
from config.metrics import FAILURES
from config.process import set_within
from config.redis import AWAY, RedisClient
from rt.wire.bus import RELAY_WAKE_CHANNEL
from worker import metrics
from worker.bundles import BEGINS, renditions_of_bundle
from worker.leader import Leader, Lease, LeaseLostError, this_process
from worker.publisher import Publisher
from worker.store import RelayStore
from worker.translate import EventUnreadableError, Rendition, translate

log = structlog.get_logger()

RELAY_POLL_S: Final = 0.05
RELAY_IDLE_AFTER_S: Final = 2  # without an event, and with the wake-up channel open; then RELAY_IDLE_POLL_S
RELAY_RENEW_S: Final = 1
RELAY_TAKE_S: Final = 0.4  # how often a relay that waits looks at the lease
RELAY_MARK_S: Final = 1  # how often it writes down what it published; a successor compares the rest with Redis
RELAY_DRAIN_S: Final = 3  # a stopping relay publishes what it has numbered; PostgreSQL keeps what is left
RELAY_LOOK_S: Final = 1  # how often the relay renews the epoch and asks whether this is still the same Redis

LEASE: Final = "relay"
MEASURE_EVERY_S: Final = 1.0
LISTEN_S: Final = 5.0


class Relay:
    """Leads when it can, waits otherwise, for as long as the process lives."""

    def __init__(self, pool: asyncpg.Pool, redis: RedisClient) -> None:
        self._redis = redis
        self._store = RelayStore(pool)
        self._leader = Leader(pool, LEASE, this_process())
        self._wake = asyncio.Event()
        self._hears = False  # whether the wake-up channel is subscribed
        self._reached = False  # whether PostgreSQL has answered yet

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`: then finishes the batch at hand and gives the lease back."""
        while not stopping.is_set():
            try:
                lease = await self._leader.take()
                self._reached = True
                if lease is not None:
                    await self._lead(lease, stopping)
            except* LeaseLostError:
                log.warning("relay_lease_lost")
            except* ERRORS as group:
                # PostgreSQL away, or not migrated yet: the next term begins with a comparison, nothing is skipped.
                if self._reached:
                    FAILURES.labels("relay").inc()
                    log.warning("relay_interrupted", errors=sorted({type(e).__name__ for e in _leaves(group)}))
            finally:
                metrics.LEADER.set(0)
                metrics.BEHIND.set(0)  # whoever leads next says whether it is
            await set_within(stopping, RELAY_TAKE_S if self._reached else RELAY_POLL_S)

    async def listen(self) -> None:
        """Wakes the relay when the API says so; a lost message costs one poll."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as bus:
                    await bus.subscribe(RELAY_WAKE_CHANNEL)
                    while True:
                        if await bus.get_message(timeout=LISTEN_S) is not None:
                            self._wake.set()
                        else:
                            await bus.ping()
                        self._hears = True
            except AWAY:
                self._hears = False
                await asyncio.sleep(RELAY_RETRY_S)

    async def measure(self) -> None:
        """Says how much waits and for how long, whoever leads, and also when nobody does; not a number where PostgreSQL
        does not say."""
        while True:
            try:
                measured: tuple[float, float] = await self._store.outbox()
            except ERRORS:
                measured = math.nan, math.nan
            metrics.OUTBOX_DEPTH.set(measured[0])
            metrics.LAG_S.set(measured[1])
            await asyncio.sleep(MEASURE_EVERY_S)

    async def _lead(self, lease: Lease, stopping: asyncio.Event) -> None:
        log.info("relay_leads", term=lease.term)
        publisher = Publisher(self._store, self._redis, await self._store.epoch(), lease)
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._renew(lease), name="relay renew"),
                tasks.create_task(publisher.run(), name="relay publish"),
                tasks.create_task(self._look(publisher), name="relay look"),
            ]
            metrics.LEADER.set(1)
            await self._number(lease, publisher, stopping)
            await publisher.finish(RELAY_DRAIN_S)
            for task in beside:
                task.cancel()
        await self._store.mark_published(publisher.published)
        await self._leader.release(lease)
        log.info("relay_released", term=lease.term)

    async def _number(self, lease: Lease, publisher: Publisher, stopping: asyncio.Event) -> None:
        marked_at = active_at = time.monotonic()
        look_first = backlog = False
        while not stopping.is_set():
            self._wake.clear()
            due = time.monotonic() - marked_at >= RELAY_MARK_S or len(publisher.published) >= RELAY_PAGE
            marks = dict(publisher.published) if due else {}
            events = 0
            if not look_first or await self._store.pending():
                batch = await self._store.number(lease, marks, renditions_of, backlog=backlog)
                events = batch.events
                backlog = events >= RELAY_BATCH  # more may wait than came
                if events:
                    active_at = time.monotonic()
                    metrics.NUMBERED.inc(events)
                    await publisher.offer(batch)
            if marks:
                if not events:  # else they were written with the batch
                    await self._store.mark_published(marks)
                publisher.settled(marks)
                marked_at = time.monotonic()
            if not events and not look_first:
                publisher.ask()  # the wake-up was about a channel that Redis lacks
            if events < RELAY_BATCH:
                idle = self._hears and time.monotonic() - active_at > RELAY_IDLE_AFTER_S
                wait_s = RELAY_IDLE_POLL_S if idle else RELAY_POLL_S
                look_first = stopping.is_set() or not await set_within(self._wake, wait_s)

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(RELAY_RENEW_S)
            await self._leader.renew(lease)

    async def _look(self, publisher: Publisher) -> None:
        while True:
            await asyncio.sleep(RELAY_LOOK_S)
            await publisher.look()


def renditions_of(events: Sequence[str]) -> list[Rendition]:
    """The renditions of rows of the outbox. One that is no event is reported and skipped: it must not stop the rest."""
    renditions: list[Rendition] = []
    for text in events:
        try:
            if text.startswith(BEGINS):
                renditions += renditions_of_bundle(text)
            else:
                renditions += translate(orjson.loads(text), uuid4())
        except (EventUnreadableError, orjson.JSONDecodeError) as error:
            metrics.UNREADABLE.inc()
            log.warning("event_unreadable", error=str(error))
    return renditions


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [leaf for e in group.exceptions for leaf in (_leaves(e) if isinstance(e, BaseExceptionGroup) else [e])]
