"""Reads from Redis what topics need: the head and history for those who join, and what a hole or an outage hid.

A few readers take topics from one queue, each topic at most once in it; what Redis does not have is asked of the
relay and polled in bulk. No task and no timer per client.
"""

import asyncio
from typing import Final

import structlog

from config.limits import EPOCH_WAIT_S, REFILL_WAIT_S
from config.process import Lifetime
from config.redis import AWAY
from rt.channels.asks import Ask, Joining, Parting
from rt.channels.hub import Hub
from rt.channels.recovery import answer
from rt.channels.topic import StreamState, Topic
from rt.feed.positions import History, Position
from rt.feed.store import FeedStore
from rt.metrics import Counters
from rt.wire import outbound

log = structlog.get_logger()

HISTORY_READ_BYTES: Final = 512 * 1024  # of history in one read, about: 1 ms of Redis, and of the loop
LOADER_READERS: Final = 8  # histories that are read at once
REFILL_POLL_S: Final = (0.010, 0.100)  # from, to
REFILL_ASK_S: Final = 1  # a request that the relay has not answered is repeated
FUTURE_WAIT_S: Final = 1  # a `since` beyond what Redis has: the relay's word on PostgreSQL must be younger than this

_AWAY_PAUSE_S: Final = 0.1
_EXPIRE_EVERY_S: Final = 0.5
_LATE_AT_ONCE: Final = 8  # clients in one turn of the loop; each may have ANSWERS_WAITING_MAX asks in line


class Loader:
    """See the module. `epoch` is the installation's, once known; Redis' copy of a channel must be of it."""

    def __init__(self, hub: Hub, store: FeedStore, counters: Counters) -> None:
        self.epoch: str | None = None
        self._hub = hub
        self._store = store
        self._counters = counters
        self._missing: dict[Topic, None] = {}  # Redis does not have them, or is behind
        self._asked: dict[Topic, float] = {}  # of the relay, and when
        self._is_missing = asyncio.Event()

    def start(self, lifetime: Lifetime) -> None:
        """Spawns the readers."""
        for number in range(LOADER_READERS):
            lifetime.spawn(f"loader_{number}", self._read_forever())
        lifetime.spawn("loader_refill", self._refill_forever())
        lifetime.spawn("loader_deadlines", self._expire_forever())

    async def _read_forever(self) -> None:
        while True:
            topic = await self._hub.loads.get()
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
            return  # read it only when nothing after the reading can be missed: `confirmed` puts it in again
        if topic.state is StreamState.FILLING and not await self._fill(topic):
            return
        if all(topic.asks.next(reader) is None for reader in topic.asks.readers):
            return  # nobody waits for Redis
        read: dict[Position | None, History] = {}
        for since in _next_wanted(topic):
            if self._hub.recoveries.has(topic, since):  # what was read for an earlier place serves all after it
                read[since] = History(topic.epoch, topic.offset, True, [])
                continue
            history = await self._store.read(topic.channel, since, HISTORY_READ_BYTES)
            if history is None or (self.epoch is not None and history.epoch != self.epoch):
                self._expire(topic)
                self._lack(topic)
                return
            if topic.state is StreamState.LOADING:  # the first history that is read tells the topic where it is
                topic.start(Position(history.epoch, history.offset), self._now())
                self._hub.flusher.work(topic.out)
            elif history.epoch != topic.epoch:
                self._hub.abandon(topic, "epoch")
                return
            self._hub.recoveries.keep(topic, history)
            read[since] = history._replace(events=[])
            if since is not None and topic.offset < since.offset <= history.offset and topic.state is StreamState.LIVE:
                await self._fill(topic)  # the bus is behind what this client has heard elsewhere
        self._answer_all(topic, read)

    async def _fill(self, topic: Topic) -> bool:
        """Reads what the topic itself missed; False: it must wait, or was given up."""
        history = await self._store.read(topic.channel, topic.position)
        if history is not None and topic.fill(history, self._now()):
            self._hub.flusher.work(topic.out)
            return True
        if history is not None and history.epoch != topic.epoch:
            if self.epoch is None or history.epoch == self.epoch:
                self._hub.abandon(topic, "epoch")
                return False
        elif history is not None and history.offset > topic.offset and topic.state is not StreamState.LIVE:
            self._hub.abandon(topic, "forgotten")
            return False
        if topic.hole_s(self._now()) > REFILL_WAIT_S:
            self._hub.abandon(topic, "not refilled")
            return False
        self._expire(topic)
        self._lack(topic)
        return False

    def _answer_all(self, topic: Topic, read: dict[Position | None, History]) -> None:
        """Answers, in order, everybody whose history was read and meets the live stream, or begins to."""
        for reader in list(topic.asks.readers):
            while (ask := topic.asks.next(reader)) is not None and self._answer(topic, ask, read):
                pass
        self._hub.flusher.work(topic.out)
        self._hub.release(topic)
        wanted = _next_wanted(topic)
        if any(since not in read for since in wanted):
            self._hub.loads.put(topic)  # they came while Redis was being read
        elif wanted:
            self._expire(topic)
            self._lack(topic)

    def _answer(self, topic: Topic, ask: Ask, read: dict[Position | None, History]) -> bool:
        """Whether it was answered, or begins to be. It ends before it is told: the answer may be what closes it."""
        reader = ask.reader
        if isinstance(ask, Parting):
            topic.asks.end_next(reader)
            topic.out.remove(reader)
            reader.send(outbound.unsubscribed(ask.id, topic.wire))
        elif ask.told and topic.asks.is_followed(reader):
            topic.asks.end_next(reader)  # it has parted, or joined again from elsewhere: it wants no more of this
        elif not self._join(topic, ask, read.get(ask.since)):
            return False
        if topic.asks.recovers_by(reader) is None:
            self._hub.recoveries.leave(topic, reader)
        return True

    def _join(self, topic: Topic, join: Joining, history: History | None) -> bool:
        """Whether the join was answered, or is being answered."""
        if history is None or topic.state is not StreamState.LIVE or history.epoch != topic.epoch:
            return False
        since, recovered, reader = join.since, history.recovered, join.reader
        if since is not None and since.epoch == history.epoch and since.offset > history.offset:
            # From the future, or Redis is behind PostgreSQL: the relay knows. What it said before this client came, or
            # was about to say then, does not count.
            since_when = join.deadline - EPOCH_WAIT_S + FUTURE_WAIT_S
            if topic.newest_at < since_when or topic.newest >= since.offset:
                return False
        place = since.offset if recovered and since is not None else topic.out.sealed_offset
        if place != topic.target_of(place):
            if not self._hub.recoveries.has(topic, since):
                return False  # the bus is behind, or Redis is behind what was heard here, or it was given up meanwhile
            self._hub.recoveries.begin(topic, join)
            return True
        is_last = not topic.asks.is_followed(reader)
        topic.asks.end_next(reader)
        if join.told and not recovered:
            reader.send(outbound.gap(topic.wire))
            return True
        if is_last:
            topic.hear(reader, place)
        if not join.told:
            answer(self._counters, topic, reader, join.id, recovered, place)
        return True

    def _expire(self, topic: Topic) -> bool:
        """Whoever has waited for too long is told so, _LATE_AT_ONCE clients in one go; whether there are more."""
        now = self._now()
        unread = [join for join in topic.asks.recovering() if not join.told and join.deadline <= now]
        for join in unread[:_LATE_AT_ONCE]:
            self._hub.recoveries.leave(topic, join.reader)
            text = "earlier answers have not been read yet"
            join.reader.send(outbound.error(join.id, "RATE_LIMITED", text, 1000))
        late = [join.reader for join in topic.asks.for_redis() if join.deadline <= now]
        for reader in late[:_LATE_AT_ONCE]:
            reader.send(b"".join([self._too_late(topic, ask) for ask in self._hub.end_asks(topic, reader)]))
        self._hub.release(topic)
        return max(len(unread), len(late)) > _LATE_AT_ONCE

    def _too_late(self, topic: Topic, ask: Ask) -> bytes:
        if isinstance(ask, Parting):
            return outbound.unsubscribed(ask.id, topic.wire)
        if ask.told:
            return outbound.gap(topic.wire)
        self._counters.unavailable += 1
        return outbound.error(ask.id, "UNAVAILABLE", "the channel cannot be read now", 1000)

    async def _expire_forever(self) -> None:
        """While Redis is away or slow nothing else looks at those who wait, for the bus or in the queue."""
        while True:
            await asyncio.sleep(_EXPIRE_EVERY_S)
            if self._hub.under_way.total:
                for topic in [topic for topic in self._hub.topics.values() if topic.asks]:
                    more = True
                    while more:
                        more = self._expire(topic)
                        await asyncio.sleep(0)

    def _now(self) -> float:
        return self._hub.awake.now()

    # --- what Redis does not have

    def _lack(self, topic: Topic) -> None:
        if not topic.idle:
            self._missing[topic] = None
            self._is_missing.set()

    async def _refill_forever(self) -> None:
        """Asks the relay for each channel that is missing, then looks again and again, slower and slower."""
        wait_s = REFILL_POLL_S[0]
        while True:
            if not self._missing:
                self._asked.clear()
                self._is_missing.clear()
                await self._is_missing.wait()
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
                    self._hub.loads.put(topic)

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
    """Where those stand who wait for their next answer, oldest place first: of each reader one, the others after it."""
    return sorted({join.since for join in topic.asks.for_redis()}, key=lambda since: (since is None, since))
