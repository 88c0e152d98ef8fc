"""The relay's side of Redis: publishes numbered batches in order, and makes Redis equal to PostgreSQL where it is not.

One publisher per term of leadership, one task: nothing else writes feeds. While Redis is away or differs, the
publisher is *behind*: batches are not kept here, because PostgreSQL has them; once Redis answers, every channel that
may lack something is compared and repaired before new batches are taken.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog
from redis.exceptions import RedisError

from config.limits import (
    RELAY_BATCH,
    RELAY_PAGE,
    RELAY_POLL_S,
    RELAY_QUEUE_BATCHES,
    RELAY_REFILLS,
    RELAY_RETRY_S,
)
from config.redis import RedisClient
from rt.feed.store import FeedStore, TermOutdatedError
from rt.wire.bus import EPOCH_KEY, REFILL_LIST
from rt.wire.channels import META_PATTERN, Channel, of_meta_key, of_tag
from worker import metrics
from worker.catchup import Need, need
from worker.leader import Lease, LeaseLostError
from worker.store import Kept, Numbered, RelayStore

log = structlog.get_logger()

REDIS_AWAY: Final = (RedisError, OSError, TimeoutError)


class LeaseUnsureError(Exception):
    """The lease was not renewed in time: until it is, this process may have a successor."""


class Publisher:
    """Everything that one term of leadership writes to Redis. `published` is what is not yet marked in PostgreSQL."""

    def __init__(self, store: RelayStore, redis: RedisClient, epoch: str, lease: Lease) -> None:
        self._store = store
        self._redis = redis
        self._feed = FeedStore(redis)
        self._epoch = epoch
        self._lease = lease
        self._queue: asyncio.Queue[Numbered] = asyncio.Queue(RELAY_QUEUE_BATCHES)
        self._behind = True
        self._catching_up = False
        self._run_id: str | None = None
        self._known: AsyncIterator[list[Channel]] | None = None  # channels of a replaced Redis, still to be compared
        self._looked_for_requests = 0.0
        self.published: dict[Channel, int] = {}

    async def offer(self, batch: Numbered) -> None:
        """Takes a committed batch; waits while RELAY_QUEUE_BATCHES are ahead of it. While behind, drops it."""
        if self._catching_up and self._queue.full():
            self._behind = True
        if not self._behind:
            await self._queue.put(batch)

    def settled(self, marked: dict[Channel, int]) -> None:
        """PostgreSQL has these marks now."""
        for channel, offset in marked.items():
            if self.published.get(channel) == offset:
                del self.published[channel]

    async def finish(self, within_s: float) -> None:
        """Waits until all that was offered is published, Redis is away, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._queue.join()

    async def run(self) -> None:
        """Publishes until it is cancelled. Raises LeaseLostError when a newer term has written."""
        while True:
            metrics.BEHIND.set(self._behind)
            try:
                if self._behind:
                    await self._catch_up()
                else:
                    await self._step()
            except TermOutdatedError:
                raise LeaseLostError from None
            except (*REDIS_AWAY, LeaseUnsureError) as error:
                self._fall_behind(type(error).__name__)
                await asyncio.sleep(RELAY_RETRY_S)

    async def look(self) -> None:
        """Renews the epoch in Redis; falls behind when Redis is away or is not the one of before."""
        try:
            new = await self._is_new()
        except REDIS_AWAY as error:
            self._fall_behind(type(error).__name__)
        else:
            if new:
                self._fall_behind("replaced")

    async def _is_new(self) -> bool:
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(EPOCH_KEY, self._epoch, get=True)
        pipe.info("server")
        told, server = await pipe.execute()
        run_id = server.get("run_id")
        if run_id == self._run_id and told == self._epoch.encode():
            return False
        log.info("redis_is_new", run_id=run_id)
        self._run_id = run_id
        self._known = self._scan()
        return True

    def _fall_behind(self, why: str) -> None:
        if not self._behind:
            log.warning("relay_behind", why=why)
        self._behind = True
        while not self._queue.empty():  # also lets `offer` go on
            self._queue.get_nowait()
            self._queue.task_done()

    async def _step(self) -> None:
        batch = None
        try:
            async with asyncio.timeout(0 if self._known is not None else RELAY_POLL_S):
                batch = await self._queue.get()
        except TimeoutError:
            pass
        if batch is not None:
            try:
                await self._publish(batch)
            finally:
                self._queue.task_done()
        if time.monotonic() - self._looked_for_requests >= RELAY_POLL_S:
            self._looked_for_requests = time.monotonic()
            await self._answer_requests()
        if self._known is not None:
            page = await anext(self._known, None)
            if page is None:
                self._known = None
            else:
                await self._settle(page, "stale")

    async def _publish(self, batch: Numbered) -> None:
        answers = await self._feed.append_many(self._epoch, batch.appends, term=self._write_as_leader())
        odd = []
        for append, expected in zip(batch.appends, answers, strict=True):
            last = append.first + len(append.bodies) - 1
            if expected is None or expected > last:  # the latter: an earlier try or a catch-up has brought it
                self._mark(append.channel, last)
            else:
                odd.append(append.channel)
        if odd:
            await self._settle(odd, "append")
        metrics.PUBLISHED.inc(sum(len(append.bodies) for append in batch.appends))
        metrics.DELAY_S.observe(max(0.0, time.time() - batch.oldest_at))

    async def _catch_up(self) -> None:
        self._behind, self._catching_up = False, True
        try:
            await self._is_new()
            async for page in self._store.streams():
                await self._settle(page, "catch_up")
            async for page in self._store.unpublished():
                await self._settle(page, "catch_up")
        finally:
            self._catching_up = False
        if not self._behind:
            log.info("relay_caught_up")

    async def _answer_requests(self) -> None:
        names = await self._redis.rpop(REFILL_LIST, RELAY_REFILLS)
        if not isinstance(names, list):
            return
        texts = [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]
        asked = {channel for text in texts if (channel := of_tag(text)) is not None}
        if asked:
            await self._settle(list(asked), "asked")

    async def _settle(self, channels: Sequence[Channel], why: str) -> None:
        """Makes these channels in Redis equal to PostgreSQL, publishing what was never published."""
        heads = await self._store.heads(channels)
        lists: list[Channel] = []
        for channel, in_redis in zip(channels, await self._feed.heads(channels), strict=True):
            last = heads[channel].last
            match need(channel, last, self._epoch, in_redis):
                case Need.NOTHING:
                    self._mark(channel, last)
                case Need.APPEND if in_redis is not None:
                    await self._append_after(channel, in_redis.offset, last)
                case _ if channel.is_stream:
                    await self._replace(channel, await self._store.kept_stream(channel))
                    metrics.REFILLED.labels(why).inc()
                case _:
                    lists.append(channel)
        for at in range(0, len(lists), RELAY_REFILLS):
            for channel, kept in (await self._store.kept_lists(lists[at : at + RELAY_REFILLS])).items():
                await self._replace(channel, kept)
                metrics.REFILLED.labels(why).inc()
        if len(self.published) > RELAY_PAGE:
            marked = dict(self.published)
            await self._store.mark_published(marked)
            self.settled(marked)

    async def _append_after(self, channel: Channel, offset: int, last: int) -> None:
        while offset < last:
            entries = await self._store.entries_after(channel, offset, RELAY_BATCH)
            bodies = [body for _, body in entries]
            term = self._write_as_leader()
            if await self._feed.append(channel, self._epoch, offset + 1, bodies, term=term) is not None:
                raise RedisError("somebody else writes this channel")  # behind: compare again
            offset = entries[-1][0]
        self._mark(channel, offset)

    async def _replace(self, channel: Channel, kept: Kept) -> None:
        """Of what was never published only the end is: gateways see the hole and read the rest from the history."""
        heard = max(kept.head.published, self.published.get(channel, 0), kept.head.last - RELAY_BATCH)
        await self._feed.refill(
            channel, self._epoch, kept.head.last, kept.entries, term=self._write_as_leader(), publish_after=heard
        )
        self._mark(channel, kept.head.last)

    async def _scan(self) -> AsyncIterator[list[Channel]]:
        """Personal channels that this Redis has, in pages: one that took over may have them older than they were."""
        page: list[Channel] = []
        async for key in self._redis.scan_iter(match=META_PATTERN, count=RELAY_PAGE):
            channel = of_meta_key(key.decode("utf-8", "replace"))
            if channel is not None and not channel.is_stream:
                page.append(channel)
            if len(page) >= RELAY_REFILLS:
                yield page
                page = []
        if page:
            yield page

    def _write_as_leader(self) -> int:
        """The term to write with. Raises LeaseUnsureError when somebody else may hold the lease by now."""
        if not self._lease.surely_held:
            raise LeaseUnsureError
        return self._lease.term

    def _mark(self, channel: Channel, offset: int) -> None:
        if offset > self.published.get(channel, 0):
            self.published[channel] = offset
