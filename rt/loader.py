"""Reads from Redis what topics need: the head and history for those who join, and what a hole or an outage hid.

A few readers take topics from one queue, each topic at most once in it; what Redis does not have is asked of the
relay and polled in bulk. No task and no timer per client.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

import structlog

from config.limits import EPOCH_WAIT_S, FUTURE_WAIT_S, LOADER_READERS, REFILL_ASK_S, REFILL_POLL_S, REFILL_WAIT_S
from config.process import Lifetime
from config.redis import AWAY
from rt.feed.positions import History, Position
from rt.feed.store import FeedStore
from rt.hub import Hub
from rt.metrics import Counters
from rt.topic import Join, Part, State, Topic
from rt.wire import outbound

log = structlog.get_logger()

_AWAY_PAUSE_S: Final = 0.1
_PATIENCE_S: Final = 0.5


class Loader:
    """See the module. `epoch` is the installation's, once known; Redis' copy of a channel must be of it."""

    def __init__(self, hub: Hub, store: FeedStore, counters: Counters) -> None:
        self.epoch: str | None = None
        self._hub = hub
        self._store = store
        self._counters = counters
        self._queue: asyncio.Queue[Topic] = asyncio.Queue()  # bounded by the number of topics: each at most once
        self._unheard: dict[Topic, None] = {}  # the bus has not confirmed them yet
        self._missing: dict[Topic, None] = {}  # Redis does not have them, or is behind
        self._asked: dict[Topic, float] = {}  # of the relay, and when
        self._stir = asyncio.Event()
        hub.load = self.load

    def load(self, topic: Topic) -> None:
        """Queues a topic."""
        if not topic.queued:
            topic.queued = True
            self._queue.put_nowait(topic)

    def start(self, lifetime: Lifetime) -> None:
        """Spawns the readers."""
        for number in range(LOADER_READERS):
            lifetime.spawn(f"loader_{number}", self._read_forever())
        lifetime.spawn("loader_refill", self._refill_forever())
        lifetime.spawn("loader_patience", self._lose_patience())

    async def _read_forever(self) -> None:
        while True:
            topic = await self._queue.get()
            topic.queued = False
            try:
                await self._serve(topic)
            except AWAY as error:
                self._counters.failures += 1
                log.warning("feed_unavailable", error=type(error).__name__)
                self._expire(topic)
                self._lack(topic)
                await asyncio.sleep(_AWAY_PAUSE_S)

    # --- one topic

    async def _serve(self, topic: Topic) -> None:
        if not topic.heard:
            self._unheard[topic] = None  # read it only when nothing after the reading can be missed
            return
        if topic.state is State.FILLING and not await self._fill(topic):
            return
        wanted = _next_wanted(topic)
        if not wanted and (topic.state is State.LIVE or not topic.waiting):
            return
        read: dict[Position | None, History] = {}
        whole: History | None = None  # one history, read from the oldest place that it reaches, serves all after it
        for since in wanted:
            if since is not None and whole is not None and whole.epoch == since.epoch and since.offset <= whole.offset:
                read[since] = whole.after(since.offset)
                continue
            history = await self._store.read(topic.channel, since)
            if history is None or (self.epoch is not None and history.epoch != self.epoch):
                self._expire(topic)
                self._lack(topic)
                return
            if history.recovered:
                whole = history
            read[since] = history
            self._advance(topic, history)
            if topic.state is State.LIVE and topic.epoch == history.epoch and history.offset > topic.offset:
                await self._fill(topic)
        self._resolve(topic, read)

    async def _fill(self, topic: Topic) -> bool:
        """Reads what the topic itself missed; False: it must wait, or was given up."""
        history = await self._store.read(topic.channel, topic.position)
        if history is not None and topic.fill(history):
            self._hub.work(topic)
            return True
        if history is not None and history.epoch != topic.epoch:
            if self.epoch is None or history.epoch == self.epoch:
                self._hub.abandon(topic, "epoch")
                return False
        elif history is not None and history.offset > topic.offset and topic.state is not State.LIVE:
            self._hub.abandon(topic, "forgotten")
            return False
        if topic.hole_since and asyncio.get_running_loop().time() - topic.hole_since > REFILL_WAIT_S:
            self._hub.abandon(topic, "not refilled")
            return False
        self._expire(topic)
        self._lack(topic)
        return False

    def _advance(self, topic: Topic, history: History) -> None:
        """The first history that is read tells the topic where it is; a later one may be ahead of the bus."""
        if topic.state is State.LOADING:
            topic.start(Position(history.epoch, history.offset))
            self._hub.work(topic)
        elif topic.state is State.LIVE and history.recovered and history.offset > topic.offset:
            oldest = history.events[0][0] if history.events else history.offset + 1
            if history.epoch == topic.epoch and oldest <= topic.offset + 1:
                topic.fill(history)
                self._hub.work(topic)

    def _resolve(self, topic: Topic, read: dict[Position | None, History]) -> None:
        """Answers, in order, everybody whose history was read and meets the live stream."""
        for reader, entries in list(topic.waiting.items()):
            while entries and topic.waiting.get(reader) is entries:  # an answer may be what closes it
                entry = entries.pop(0)
                if isinstance(entry, Part):
                    topic.remove(reader)
                    reader.send(outbound.unsubscribed(entry.id, topic.wire), asked=True)
                elif not self._join(topic, entry, read.get(entry.since), is_last=not entries):
                    entries.insert(0, entry)
                    break
                self._hub.waited(1)
            if not entries:
                topic.waiting.pop(reader, None)
        topic.forget_retained()
        self._hub.work(topic)
        self._hub.release(topic)
        if any(join.since not in read for join in _joins(topic)):
            self.load(topic)  # they came while Redis was being read
        elif topic.waiting:
            self._expire(topic)
            self._lack(topic)

    def _join(self, topic: Topic, join: Join, history: History | None, *, is_last: bool) -> bool:
        """Whether the join was answered."""
        if history is None or topic.state is not State.LIVE:
            return False
        since = join.since
        if since is not None and since.epoch == history.epoch and since.offset > history.offset:
            # From the future, or Redis is behind PostgreSQL: the relay knows. What it said before this client came, or
            # was about to say then, does not count.
            since_when = join.deadline - EPOCH_WAIT_S + FUTURE_WAIT_S
            if topic.told_at < since_when or topic.told >= since.offset:
                return False
        rest = topic.rest(history.offset)
        if rest is None:
            return False  # Redis is behind what was heard here
        if is_last:
            topic.add(join.reader)  # before it is told: the answer may be what closes it
        self._hub.answer(topic, join.reader, join.id, history.recovered, history.offset, history.events)
        if rest:
            join.reader.send(rest, asked=True)
        return True

    def _expire(self, topic: Topic) -> None:
        """Whoever has waited for too long is told so."""
        now = asyncio.get_running_loop().time()
        late = {join.reader for join in _joins(topic) if join.deadline <= now}
        for reader in late:
            entries = topic.waiting.pop(reader)
            self._hub.waited(len(entries))
            for entry in entries:
                if isinstance(entry, Part):
                    reader.send(outbound.unsubscribed(entry.id, topic.wire), asked=True)
                else:
                    self._counters.unavailable += 1
                    text = "the channel cannot be read now"
                    reader.send(outbound.error(entry.id, "UNAVAILABLE", text, 1000), asked=True)
        if late:
            self._hub.release(topic)

    async def _lose_patience(self) -> None:
        """While Redis is away or slow nothing else looks at those who wait, for the bus or in the queue."""
        while True:
            await asyncio.sleep(_PATIENCE_S)
            if self._hub.waiting:
                for topic in [topic for topic in self._hub.topics.values() if topic.waiting]:
                    self._expire(topic)
            for topic in list(self._unheard):
                if topic.heard or topic.idle:
                    del self._unheard[topic]

    # --- what Redis does not have

    def _lack(self, topic: Topic) -> None:
        if not topic.idle:
            self._missing[topic] = None
            self._stir.set()

    async def _refill_forever(self) -> None:
        """Asks the relay for each channel that is missing, then looks again and again, slower and slower."""
        wait_s = REFILL_POLL_S[0]
        while True:
            if not self._missing:
                self._asked.clear()
                self._stir.clear()
                await self._stir.wait()
                wait_s = REFILL_POLL_S[0]
            await self._ask()
            await asyncio.sleep(wait_s)
            wait_s = min(REFILL_POLL_S[1], wait_s * 2)
            missing, self._missing = self._missing, {}
            self._asked = {topic: at for topic, at in self._asked.items() if topic in missing}
            for topic in missing:
                if topic.idle or self._hub.topics.get(topic.wire) is not topic:
                    self._asked.pop(topic, None)
                else:
                    self.load(topic)

    async def _ask(self) -> None:
        """A request may be lost with a Redis or a relay: it is repeated every REFILL_ASK_S."""
        now = asyncio.get_running_loop().time()
        wanted = [topic for topic in self._missing if now - self._asked.get(topic, 0.0) >= REFILL_ASK_S]
        if not wanted:
            return
        try:
            await self._store.request_refill([topic.channel for topic in wanted])
        except AWAY as error:
            self._counters.failures += 1
            log.info("refill_not_asked", error=type(error).__name__)
        else:
            self._asked |= dict.fromkeys(wanted, now)


def _next_wanted(topic: Topic) -> list[Position | None]:
    """Where those stand who wait for their next answer, oldest place first: one of each reader, lest one who asks three
    hundred times has as many histories read at once. The others have their turn behind it.
    """
    wanted: set[Position | None] = set()
    for entries in topic.waiting.values():
        wanted.update([entry.since for entry in entries if isinstance(entry, Join)][:1])
    return sorted(wanted, key=lambda since: (since is None, since))


def _joins(topic: Topic) -> Iterator[Join]:
    for entries in topic.waiting.values():
        for entry in entries:
            if isinstance(entry, Join):
                yield entry
