"""Channels and who hears them, in one process: batches of the bus in, one write per socket and turn out.

A frame is built once (by the relay) and the same bytes go to every socket. A flush yields to the loop after
FLUSH_WRITES_PER_TURN sockets; what arrives meanwhile waits its turn, so that order per channel survives.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from time import monotonic
from types import MappingProxyType

import structlog

from config.awake import AwakeClock
from config.limits import (
    ANSWERS_WAITING_MAX,
    EPOCH_WAIT_S,
    FLUSH_RETRY_S,
    FLUSH_SHARE,
    FLUSH_WINDOW_BEHIND_S,
    FLUSH_WINDOW_S,
    FLUSH_WRITES_PER_TURN,
    JOINS_WAITING_MAX,
)
from rt.bus import Bus
from rt.digest import rate_of
from rt.feed.positions import Position
from rt.metrics import Counters
from rt.recovery import Recoveries
from rt.topic import Join, Part, Reader, Sealed, State, Topic, Verdict
from rt.wire import outbound
from rt.wire.bus import decode_batch, decode_presence
from rt.wire.channels import Channel, ChannelKind, bus_channel
from rt.wire.inbound import MessageId, Since

log = structlog.get_logger()


class Hub:
    """See the module. `load` queues a topic for the loader (rt/loader.py), which reads Redis and calls back."""

    def __init__(
        self,
        bus: Bus,
        counters: Counters,
        loop: asyncio.AbstractEventLoop,
        awake: AwakeClock,
        rates: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.topics: dict[str, Topic] = {}
        self.awake = awake  # of all that somebody waits for here
        self.load: Callable[[Topic], None] = lambda _topic: None
        self._bus = bus
        self._counters = counters
        self._loop = loop
        self._rates = rates
        self.recoveries = Recoveries(self)
        self.waiting = 0  # joins and parts that were not answered, and clients in the middle of a recovery
        self._asks: dict[Reader, int] = {}  # the same of each
        self._dirty: dict[Topic, None] = {}  # something is pending
        self._late: dict[Topic, None] = {}  # pending, but its window is not over
        self._gone: dict[str, dict[Reader, None]] = {}  # wire -> whom a gap ended, and who was not told yet
        self._jobs: dict[Topic, int] = {}  # something is sealed; how many sockets of the first have it
        self._scheduled = False
        self._late_scheduled = False
        self._window_s = FLUSH_WINDOW_S
        self._busy_since = 0.0  # when the first of the present jobs was sealed

    # --- clients

    def join(self, reader: Reader, message_id: MessageId, channel: Channel, since: Since | None) -> None:
        """Answers `subscribed` now or later, or UNAVAILABLE, and joins the reader to the live stream."""
        if self._asks.get(reader, 0) >= ANSWERS_WAITING_MAX:
            self._refuse(reader, message_id, "RATE_LIMITED", "too many answers are under way")
            return
        topic = self.topics.get(channel.wire)
        if topic is None:
            rate = rate_of(channel, self._rates)
            topic = self.topics[channel.wire] = Topic(channel, rate, self.recoveries.budget)
            self._bus.subscribe(
                bus_channel(channel), partial(self._on_batch, topic), partial(self._on_confirmed, topic)
            )
        self._leave(topic, reader)
        self._heard_enough(channel.wire, reader)
        known = None if since is None else Position(since.epoch, since.offset)
        head = Position(topic.epoch, topic.sealed_offset)
        free = reader not in topic.waiting and reader not in topic.recovering
        if topic.state is State.LIVE and (known is None or known == head) and free:
            topic.add(reader, hears_pending=True)  # before it is told: the answer may be what closes it
            self.answer(topic, reader, message_id, None if known is None else True, head.offset, ())
            return
        if self.waiting >= JOINS_WAITING_MAX:
            self._refuse(reader, message_id, "UNAVAILABLE", "too many are joining")
            self.release(topic)
            return
        self._wait(topic, Join(reader, message_id, known, self.awake.now() + EPOCH_WAIT_S))
        if free:  # else it is its turn when the one before it was answered
            self.load(topic)

    def answer(
        self,
        topic: Topic,
        reader: Reader,
        message_id: MessageId,
        recovered: bool | None,
        offset: int,
        events: Iterable[tuple[int, bytes]],
    ) -> int:
        """Tells the reader where it stands; returns how many bytes that took."""
        self._counters.subscribes += 1
        self._counters.recovered += recovered is True
        self._counters.unrecovered += recovered is False
        frame = outbound.subscribed(
            message_id,
            channel=topic.wire,
            epoch=topic.epoch,
            offset=offset,
            recovered=recovered,
            events=events,
        )
        reader.send(frame)
        return len(frame)

    def part(self, reader: Reader, message_id: MessageId, channel: Channel) -> None:
        """Answers `unsubscribed`, behind a join that is on its way; nothing of the channel comes after it."""
        topic = self.topics.get(channel.wire)
        self._heard_enough(channel.wire, reader)
        if topic is not None:
            self._leave(topic, reader)
            entries = topic.waiting.get(reader, ())
            if entries and isinstance(entries[-1], Part):
                self._refuse(reader, message_id, "RATE_LIMITED", "an `unsubscribe` of this channel is under way")
                return
            if entries or reader in topic.recovering:
                self._wait(topic, Part(reader, message_id))
                return
            self.release(topic)
        reader.send(outbound.unsubscribed(message_id, channel.wire))

    def drop(self, reader: Reader, wire: str) -> None:
        """The reader is gone, or may not hear the channel any more."""
        topic = self.topics.get(wire)
        self._heard_enough(wire, reader)
        if topic is not None:
            topic.remove(reader)
            if self.recoveries.leave(topic, reader) is not None:
                self.waited(reader, 1)
            self.waited(reader, topic.wait_ends(reader))
            self.release(topic)

    def waited(self, reader: Reader, count: int) -> None:
        """So many asks of this reader wait no more."""
        self.waiting -= count
        left = self._asks.get(reader, 0) - count
        if left > 0:
            self._asks[reader] = left
        else:
            self._asks.pop(reader, None)

    def _wait(self, topic: Topic, entry: Join | Part) -> None:
        self.waiting += 1
        self._asks[entry.reader] = self._asks.get(entry.reader, 0) + 1
        topic.wait(entry)

    def _leave(self, topic: Topic, reader: Reader) -> None:
        """It joins again, or parts: it hears no more, and whatever it was being told ends here."""
        topic.remove(reader)
        under_way = topic.recovering.get(reader)
        if under_way is not None and under_way.told:
            self.recoveries.leave(topic, reader)
            self.waited(reader, 1)

    def _refuse(self, reader: Reader, message_id: MessageId, code: outbound.ErrorCode, text: str) -> None:
        if code == "UNAVAILABLE":
            self._counters.unavailable += 1
        else:
            self._counters.rate_limited += 1
        reader.send(outbound.error(message_id, code, text, 1000))

    def release(self, topic: Topic) -> None:
        """Lets a channel go that nobody hears, and a history that nobody needs."""
        self.recoveries.settle(topic)
        if topic.idle and self.topics.get(topic.wire) is topic:
            del self.topics[topic.wire]
            self._dirty.pop(topic, None)
            self._late.pop(topic, None)
            self._bus.unsubscribe(bus_channel(topic.channel))

    def abandon(self, topic: Topic, why: str) -> None:
        """Tells every reader `gap` and begins the topic again."""
        for reader, join in list(topic.recovering.items()):
            self.recoveries.leave(topic, reader)
            if join.told:
                self.waited(reader, 1)
                topic.readers[reader] = join.since.offset if join.since is not None else 0  # one of those who are told
            else:
                topic.waiting[reader] = [join, *topic.waiting.get(reader, ())]
        gone = topic.abandon()
        self._jobs.pop(topic, None)
        self._counters.gaps += 1
        log.warning("channel_gap", channel=topic.wire, readers=len(gone), why=why)
        if topic.waiting:
            self.load(topic)
        self.release(topic)
        if gone:
            telling = topic.wire in self._gone
            self._gone.setdefault(topic.wire, {}).update(dict.fromkeys(gone))
            if not telling:
                self._tell_gap(topic.wire)

    def is_writing(self) -> bool:
        """Whether events wait for their sockets."""
        return bool(self._jobs)

    # --- the bus

    def _on_confirmed(self, topic: Topic) -> None:
        """The bus hears this channel (again): what was published before is in Redis, what comes after will be heard."""
        topic.heard = True
        if topic.state is State.LIVE:
            topic.state = State.FILLING
        self.load(topic)

    def _on_batch(self, topic: Topic, payload: bytes) -> None:
        batch = decode_batch(payload)
        if batch is None:
            self._on_presence(topic, payload)
            return
        if not batch.size:
            topic.told, topic.told_at = batch.last, self.awake.now()
            if topic.waiting:
                self.load(topic)
            return
        self._counters.batches += 1
        match topic.accept(batch):
            case Verdict.NEXT:
                self.work(topic)
            case Verdict.HOLE:
                topic.state = State.FILLING
                topic.hole_since = self.awake.now()
                self._counters.holes += 1
                self.load(topic)
            case Verdict.OTHER_EPOCH:
                self.abandon(topic, "epoch")
            case Verdict.TOO_LARGE:
                self.abandon(topic, "an event larger than a frame")
            case Verdict.KNOWN | Verdict.WAITS:
                pass

    def _on_presence(self, topic: Topic, payload: bytes) -> None:
        """How the owner of a profile is now: no event, so it has no offset and nobody recovers it."""
        frame = decode_presence(payload)
        if frame is None or topic.channel.kind is not ChannelKind.PROFILE:
            self._counters.bus_garbage += 1
            return
        self._tell_presence(topic, list(topic.readers), frame)

    # --- out

    def _tell_presence(self, topic: Topic, readers: Sequence[Reader], frame: bytes) -> None:
        for reader in readers[:FLUSH_WRITES_PER_TURN]:
            if reader in topic.readers:
                reader.send(frame)
        if len(readers) > FLUSH_WRITES_PER_TURN:
            self._loop.call_soon(self._tell_presence, topic, readers[FLUSH_WRITES_PER_TURN:], frame)

    def _tell_gap(self, wire: str) -> None:
        gone, frame = self._gone[wire], outbound.gap(wire)
        for reader in list(islice(gone, FLUSH_WRITES_PER_TURN)):
            if reader in gone:
                del gone[reader]
                reader.send(frame)
        if gone:
            self._loop.call_soon(self._tell_gap, wire)
        else:
            del self._gone[wire]

    def _heard_enough(self, wire: str, reader: Reader) -> None:
        """It joins again, parts or is gone before it was told of a gap: it is not told any more."""
        if wire in self._gone:
            self._gone[wire].pop(reader, None)

    def work(self, topic: Topic) -> None:
        """Something of this topic is to be written: at once when it is slow, else when its window is over."""
        wait_s = topic.flushed_at + self._window_s - self._loop.time()
        if wait_s <= 0 and topic not in self._jobs:
            self._dirty[topic] = None
            self._schedule()
        else:
            self._put_off(topic, wait_s)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _put_off(self, topic: Topic, wait_s: float) -> None:
        self._late[topic] = None
        if not self._late_scheduled:
            self._late_scheduled = True
            self._loop.call_later(max(FLUSH_RETRY_S, wait_s), self._flush_late)

    def _flush_late(self) -> None:
        self._late_scheduled = False
        self._dirty |= self._late
        self._late.clear()
        self._schedule()  # never a second flush in a turn: each one would go on for itself

    def _flush(self) -> None:
        self._scheduled = False
        now = self._loop.time()
        dirty, self._dirty = self._dirty, {}
        if not self._jobs:
            self._busy_since = now
        for topic in dirty:
            self._seal(topic, now)
        budget = FLUSH_WRITES_PER_TURN
        for topic in list(self._jobs):
            budget -= self._write(topic, budget)
            if budget <= 0:
                break
        # A process that is behind writes more at once, and has time for other things. What a flush takes is known at
        # its end; before, the window may grow, and not fall.
        took_s = monotonic() - self._busy_since
        window_s = min(max(FLUSH_WINDOW_S, took_s / FLUSH_SHARE), FLUSH_WINDOW_BEHIND_S)
        if self._jobs:
            self._window_s = max(self._window_s, window_s)
            self._schedule()
        else:
            self._window_s = window_s

    def _seal(self, topic: Topic, now: float) -> None:
        """What is pending becomes a job, unless the last one is not over or the rate of the channel is."""
        if topic not in self._jobs and topic.may_seal(now):
            if topic.offset > topic.sealed_offset:
                topic.seal()
                topic.flushed_at = now
        elif topic.offset > topic.sealed_offset:
            self._put_off(topic, FLUSH_RETRY_S)
        if topic.outbox:
            self._jobs.setdefault(topic, 0)

    def _write(self, topic: Topic, budget: int) -> int:
        """Writes up to `budget` sockets of the topic's sealed frames; returns how many."""
        written = 0
        while topic.outbox and written < budget:
            sealed, at = topic.outbox[0], self._jobs[topic]
            readers = (
                sealed.readers[at : at + budget - written] if at or len(sealed.readers) > budget else sealed.readers
            )
            if topic.version == sealed.version:
                data = sealed.data
                for reader in readers:
                    reader.send(data)
                self._counters.deliveries += sealed.size * len(readers)
            else:
                self._write_carefully(topic, sealed, readers)
            written += len(readers)
            if at + len(readers) >= len(sealed.readers):
                topic.outbox.pop(0)
                self._jobs[topic] = 0
            else:
                self._jobs[topic] = at + len(readers)
        if topic.outbox:
            self._jobs[topic] = self._jobs.pop(topic)  # behind the others
        else:
            del self._jobs[topic]
        return written

    def _write_carefully(self, topic: Topic, sealed: Sealed, readers: tuple[Reader, ...]) -> None:
        """Somebody left since this was sealed: whoever left gets nothing, whoever came back was told already."""
        for reader in readers:
            joined = topic.readers.get(reader)
            if joined is not None and joined < sealed.last:
                reader.send(sealed.data)
                self._counters.deliveries += sealed.size
