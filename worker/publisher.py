"""The relay's side of Redis: publishes numbered batches in order, and makes Redis equal to PostgreSQL where it is not.

One publisher per term of leadership, one task: nothing else writes feeds. While Redis is away, batches are not kept
here, because PostgreSQL has them. Once it answers, new batches go out at once, each channel repaired when its turn
comes, and page by page beside them every channel that may lack something is compared.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Container, Iterator, Sequence
from typing import Final

import structlog
from redis.exceptions import RedisError

from config.events import anonymous
from config.limits import RELAY_BATCH, RELAY_IDLE_POLL_S, RELAY_PAGE, RELAY_REFILLS, RELAY_RETRY_S
from config.redis import AWAY, RedisClient
from config.tracing import traces
from rt.feed.store import Append, FeedStore, Refill, TermOutdatedError
from rt.wire.bus import DROPS_CHANNEL, EPOCH_KEY, REFILL_LIST, RENDITIONS_KEY
from rt.wire.channels import COMMUNITY, META_PATTERN, Channel, ChannelKind, of_meta_key, of_tag
from rt.wire.drops import COMMUNITY_PAGES, Drop, encode_drop
from worker import metrics
from worker.catchup import Need, need, put_back_to
from worker.leader import Lease, LeaseLostError
from worker.store import NOTHING, Kept, Numbered, RelayStore

log = structlog.get_logger()

RELAY_QUEUE_BATCHES: Final = 4  # numbered and not yet published; then numbering waits, or PostgreSQL keeps them


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
        self._away = True
        self._run_id: str | None = None
        self._replaced = False  # this Redis may have channels older than they were
        self._comparing: AsyncIterator[list[Channel]] | None = None
        self._requests_at = 0.0
        self.published: dict[Channel, int] = {}

    async def offer(self, batch: Numbered) -> None:
        """Takes a committed batch; waits while RELAY_QUEUE_BATCHES are ahead of it. While Redis is away, drops it."""
        if not self._away:
            await self._queue.put(batch)

    def ask(self) -> None:
        """Makes it look for channels that somebody misses, without waiting for its time."""
        self._requests_at = 0.0
        if self._queue.empty():
            self._queue.put_nowait(NOTHING)

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
            try:
                if self._away:
                    await self._return()
                await self._step()
            except TermOutdatedError:
                raise LeaseLostError from None
            except (*AWAY, LeaseUnsureError) as error:
                self._leave(type(error).__name__)
                await asyncio.sleep(RELAY_RETRY_S)

    async def look(self) -> None:
        """Renews the epoch in Redis; compares everything when Redis is not the one of before."""
        try:
            new = await self._is_new()
        except AWAY as error:
            self._leave(type(error).__name__)
        else:
            if new:
                self._comparing = self._everything()

    def _leave(self, why: str) -> None:
        if not self._away:
            log.warning("relay_without_redis", why=why)
        self._away = True
        metrics.BEHIND.set(1)
        while not self._queue.empty():  # PostgreSQL has them; `offer` goes on
            self._queue.get_nowait()
            self._queue.task_done()

    async def _return(self) -> None:
        """Redis answers (again): new batches may come, and everything older is compared beside them."""
        await self._is_new()
        self._comparing = self._everything()
        self._away = False

    async def _is_new(self) -> bool:
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(EPOCH_KEY, self._epoch, get=True)
        pipe.info("server")
        told, server = await pipe.execute()
        run_id = server.get("run_id")
        if run_id == self._run_id and told == self._epoch.encode():
            return False
        log.info("redis_is_new", run_id=run_id)
        await self._forget_older_renditions()
        self._run_id = run_id
        self._replaced = True
        return True

    async def _forget_older_renditions(self) -> None:
        """A history of the community that another version left says more than is told today: it is refilled."""
        version = str(anonymous.VERSION)
        if await self._redis.get(RENDITIONS_KEY) != version.encode():
            await self._feed.forget(COMMUNITY)
            await self._redis.set(RENDITIONS_KEY, version)

    async def _step(self) -> None:
        batch = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0 if self._comparing is not None else RELAY_IDLE_POLL_S):
                batch = await self._queue.get()
        if batch is not None:
            try:
                if batch.appends:
                    await self._publish(batch)
            finally:
                self._queue.task_done()
        if time.monotonic() - self._requests_at >= RELAY_IDLE_POLL_S:
            self._requests_at = time.monotonic()
            await self._answer_requests()
        if self._comparing is not None:
            await self._compare(self._comparing)

    async def _publish(self, batch: Numbered) -> None:
        appends = [part for append in batch.appends for part in self._parts(append)]
        drop = (DROPS_CHANNEL, encode_drop(_drop_of(batch.appends)))  # before anybody asks again
        with _traced(appends) as traced:
            answers = await self._feed.append_many(self._epoch, traced, term=self._term(), before=drop)
        odd: dict[Channel, None] = {}
        for append, expected in zip(appends, answers, strict=True):
            if expected is None or expected > append.last:  # the latter: an earlier try or a comparison has brought it
                self._mark(append.channel, append.last)
            else:
                odd[append.channel] = None
        if odd:
            await self._settle(list(odd), "append")
        metrics.PUBLISHED.inc(sum(len(append.bodies) for append in batch.appends))
        metrics.DELAY_S.observe(max(0.0, time.time() - batch.oldest_at))

    def _parts(self, append: Append) -> Iterator[Append]:
        """An append in messages of a bounded size; the first one may begin a list that Redis does not have."""
        begins = append.begins or (
            not append.channel.is_stream and self.published.get(append.channel, 0) >= append.first - 1
        )
        for at in range(0, len(append.bodies), RELAY_BATCH):
            bodies = append.bodies[at : at + RELAY_BATCH]
            places = {n - at: place for n, place in append.traces.items() if at <= n < at + RELAY_BATCH}
            yield Append(append.channel, append.first + at, bodies, begins and not at, places)

    async def _compare(self, pages: AsyncIterator[list[Channel]]) -> None:
        page = await anext(pages, None)
        if page is not None:
            await self._settle(page, "compared")
        elif pages is self._comparing:
            self._comparing = None
            metrics.BEHIND.set(0)
            log.info("relay_caught_up")

    async def _everything(self) -> AsyncIterator[list[Channel]]:
        """Pages of channels of which Redis may lack something: streams first, they have the most readers."""
        metrics.BEHIND.set(1)
        async for page in self._store.streams():
            yield page
        async for channels in self._store.unpublished():
            for at in range(0, max(1, len(channels)), RELAY_REFILLS):
                yield channels[at : at + RELAY_REFILLS]
        if self._replaced:
            async for page in self._scan():
                yield page
            self._replaced = False

    async def _scan(self) -> AsyncIterator[list[Channel]]:
        """Channels of people and apps that this Redis has: one that took over may have them older than they were."""
        cursor = -1
        while cursor:
            cursor, keys = await self._redis.scan(max(cursor, 0), match=META_PATTERN, count=RELAY_PAGE)
            found = [of_meta_key(key.decode("utf-8", "replace")) for key in keys]
            others = [channel for channel in found if channel is not None and channel != COMMUNITY]
            for at in range(0, max(1, len(others)), RELAY_REFILLS):  # a page without any lets batches pass too
                yield others[at : at + RELAY_REFILLS]

    async def _answer_requests(self) -> None:
        names = await self._redis.rpop(REFILL_LIST, RELAY_REFILLS)
        if names is None:
            return
        asked = {channel for name in names if (channel := of_tag(name.decode("utf-8", "replace"))) is not None}
        if asked:
            self._requests_at = 0.0  # there may be more
            partial = await self._feed.partial(list(asked))
            await self._feed.announce(self._epoch, await self._settle(list(asked), "asked", partial))

    async def _settle(
        self, channels: Sequence[Channel], why: str, partial: Container[Channel] = ()
    ) -> dict[Channel, int]:
        """Makes these channels in Redis equal to PostgreSQL, publishing what was never published; their heads. Of what
        is `partial` the older events are put back too."""
        if not channels:
            return {}
        heads = await self._store.heads(channels)
        behind: dict[Channel, int] = {}
        lists: list[Channel] = []
        for channel, in_redis in zip(channels, await self._feed.heads(channels), strict=True):
            last = heads[channel].last
            wanted = need(channel, last, self._epoch, in_redis, heads[channel].dropped)
            if in_redis is not None and wanted is not Need.REPLACE:
                self._mark(channel, in_redis.offset)  # what Redis has was published with it
            match wanted:
                case _ if channel in partial:
                    lists.append(channel)
                case Need.NOTHING:
                    pass
                case Need.APPEND if in_redis is not None:
                    behind[channel] = in_redis.offset
                case _ if channel.is_stream:
                    behind |= await self._replace({channel: await self._store.kept_stream(channel)}, why)
                case _ if in_redis is None and why != "asked":  # it begins with what nobody has heard, if anything
                    heard = max(heads[channel].published, self.published.get(channel, 0))
                    if heard < last:
                        behind[channel] = put_back_to(channel, last, heard)
                case _:
                    lists.append(channel)
        if lists:
            behind |= await self._replace(await self._store.kept_lists(lists), why)
        while behind:
            behind = await self._append_after(behind)
        if len(self.published) > RELAY_PAGE:
            marked = dict(self.published)
            await self._store.mark_published(marked)
            self.settled(marked)
        return {channel: head.last for channel, head in heads.items()}

    async def _append_after(self, behind: dict[Channel, int]) -> dict[Channel, int]:
        """Appends and publishes the next events of each; what is behind after that."""
        found = await self._store.missing(behind, RELAY_BATCH)
        appends = [append._replace(begins=not append.channel.is_stream) for append in found]
        await self._append(appends)
        return {append.channel: append.last for append in appends if len(append.bodies) == RELAY_BATCH}

    async def _append(self, appends: Sequence[Append]) -> None:
        """Appends what Redis must accept: it was just seen that it has what comes before, or nothing."""
        answers = await self._feed.append_many(self._epoch, appends, term=self._term())
        if any(expected is not None for expected in answers):
            raise RedisError("a channel changed under the relay")  # begin again
        for append in appends:
            self._mark(append.channel, append.last)

    async def _replace(self, channels: dict[Channel, Kept], why: str) -> dict[Channel, int]:
        """Puts back what clients have heard, and appends a little more; what is behind after that."""
        refills = []
        for channel, kept in channels.items():
            heard = max(kept.head.published, self.published.get(channel, 0))
            head = put_back_to(channel, kept.head.last, heard)
            refills.append(Refill(channel, head, [entry for entry in kept.entries if entry[0] <= head]))
        await self._feed.refill_many(self._epoch, refills, term=self._term())
        metrics.REFILLED.labels(why).inc(len(refills))
        at_hand: list[Append] = []
        behind: dict[Channel, int] = {}
        for channel, head, _ in refills:
            self._mark(channel, head)
            unheard = [body for offset, body in channels[channel].entries if offset > head]
            missing = channels[channel].head.last - head
            if missing and missing == len(unheard) <= RELAY_BATCH:
                at_hand.append(Append(channel, head + 1, unheard))
            elif missing:
                behind[channel] = head
        await self._append(at_hand)
        return behind

    def _term(self) -> int:
        """The term to write with. Raises LeaseUnsureError when somebody else may hold the lease by now."""
        if not self._lease.surely_held:
            raise LeaseUnsureError
        return self._lease.term

    def _mark(self, channel: Channel, offset: int) -> None:
        if offset > self.published.get(channel, 0):
            self.published[channel] = offset


def _drop_of(appends: Sequence[Append]) -> Drop:
    """What APIs know of that these events change: pages of the community's feed, and what is kept for their owners."""
    channels = {append.channel for append in appends}
    owners = {channel.owner for channel in channels if channel.kind is ChannelKind.USER and channel.owner is not None}
    return Drop(frozenset({COMMUNITY_PAGES} if COMMUNITY in channels else ()), frozenset(owners))


@contextlib.contextmanager
def _traced(appends: Sequence[Append]) -> Iterator[Sequence[Append]]:
    """The same appends, whose traces go on from a span of their publication."""
    places = {place for append in appends for place in append.traces.values()} if traces.on else ()
    if not places:
        yield appends
        return
    spans = {place: traces.begin("relay publish", place) for place in places}
    try:
        yield [a._replace(traces={n: spans[place].place for n, place in a.traces.items()}) for a in appends]
    finally:
        for span in spans.values():
            span.end()
