"""Channels and who hears them, in one process: joins and parts, and batches of the bus in; flushes write them out."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from types import MappingProxyType

import structlog

from config.awake import AwakeClock
from config.limits import ANSWERS_WAITING_MAX, EPOCH_WAIT_S, FLUSH_WRITES_PER_TURN, JOINS_WAITING_MAX
from rt.channels.asks import Ask, Joining, Parting, Reader, UnderWay
from rt.channels.bus import Bus
from rt.channels.digest import rate_of
from rt.channels.flush import Flusher
from rt.channels.loadqueue import LoadQueue
from rt.channels.recovery import Recoveries, answer
from rt.channels.topic import StreamState, Topic, Verdict
from rt.feed.positions import Position
from rt.metrics import Counters
from rt.wire import outbound
from rt.wire.bus import decode_batch, decode_member, decode_presence
from rt.wire.channels import Channel, ChannelKind, bus_channel
from rt.wire.inbound import MessageId, Since

log = structlog.get_logger()


class Hub:
    """See the module. `loads`: topics that the loader (rt/channels/loader.py) is to read Redis for."""

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
        self.loads = LoadQueue()
        self.under_way = UnderWay()
        self.flusher = Flusher(counters, loop)
        self.recoveries = Recoveries(self.loads, counters, awake, self.release)
        self._bus = bus
        self._counters = counters
        self._loop = loop
        self._rates = rates
        self._digests = True
        self._gone: dict[str, dict[Reader, None]] = {}  # wire -> whom a gap ended, and who was not told yet

    # --- clients

    def join(self, reader: Reader, message_id: MessageId, channel: Channel, since: Since | None) -> None:
        """Answers `subscribed` now or later, or UNAVAILABLE, and joins the reader to the live stream."""
        if self.under_way.of(reader) >= ANSWERS_WAITING_MAX:
            self._refuse(reader, message_id, "RATE_LIMITED", "too many answers are under way")
            return
        topic = self.topics.get(channel.wire)
        if topic is None:
            topic = Topic(channel, self.under_way, self._rate(channel), self.recoveries.budget)
            self.topics[channel.wire] = topic
            self._bus.subscribe(
                bus_channel(channel), partial(self._on_batch, topic), partial(self._on_confirmed, topic)
            )
        self._leave(topic, reader)
        self._heard_enough(channel.wire, reader)
        known = None if since is None else Position(since.epoch, since.offset)
        head = Position(topic.epoch, topic.out.sealed_offset)
        free = reader not in topic.asks.readers and topic.asks.recovers_by(reader) is None
        if topic.state is StreamState.LIVE and (known is None or known == head) and free:
            topic.out.add(reader, hears_pending=True)  # before it is told: the answer may be what closes it
            answer(self._counters, topic, reader, message_id, None if known is None else True, head.offset)
            return
        if self.under_way.total >= JOINS_WAITING_MAX:
            self._refuse(reader, message_id, "UNAVAILABLE", "too many are joining")
            self.release(topic)
            return
        topic.wait(Joining(reader, message_id, known, self.awake.now() + EPOCH_WAIT_S))
        if free:  # else it is its turn when the one before it was answered
            self.loads.put(topic)

    def part(self, reader: Reader, message_id: MessageId, channel: Channel) -> None:
        """Answers `unsubscribed`, behind a join that is on its way; nothing of the channel comes after it."""
        topic = self.topics.get(channel.wire)
        self._heard_enough(channel.wire, reader)
        if topic is not None:
            self._leave(topic, reader)
            if isinstance(topic.asks.last(reader), Parting):
                self._refuse(reader, message_id, "RATE_LIMITED", "an `unsubscribe` of this channel is under way")
                return
            if reader in topic.asks.readers or topic.asks.recovers_by(reader) is not None:
                topic.wait(Parting(reader, message_id))
                return
            self.release(topic)
        reader.send(outbound.unsubscribed(message_id, channel.wire))

    def drop(self, reader: Reader, wire: str) -> None:
        """The reader is gone, or may not hear the channel any more."""
        topic = self.topics.get(wire)
        self._heard_enough(wire, reader)
        if topic is not None:
            topic.out.remove(reader)
            self.end_asks(topic, reader)
            self.release(topic)

    def readers_of(self, wire: str) -> list[Reader]:
        """Everybody who hears the channel, or waits to."""
        topic = self.topics.get(wire)
        if topic is None:
            return []
        recovering = (join.reader for join in topic.asks.recovering())
        return list(dict.fromkeys((*topic.out.readers, *topic.asks.readers, *recovering)))

    def end_asks(self, topic: Topic, reader: Reader) -> list[Ask]:
        """Nothing of this reader is answered any more; what stood in its line."""
        self.recoveries.leave(topic, reader)
        return topic.asks.end_line(reader)

    def _leave(self, topic: Topic, reader: Reader) -> None:
        """It joins again, or parts: it hears no more, and whatever it was being told ends here."""
        topic.out.remove(reader)
        under_way = topic.asks.recovers_by(reader)
        if under_way is not None and under_way.told:
            self.recoveries.leave(topic, reader)

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
            self.flusher.forget(topic.out)
            self._bus.unsubscribe(bus_channel(topic.channel))

    def abandon(self, topic: Topic, why: str) -> None:
        """Tells every reader `gap` and begins the topic again."""
        self.recoveries.abandon(topic)
        self.flusher.forget(topic.out)
        gone = topic.abandon()
        self._counters.gaps += 1
        log.warning("channel_gap", kind=topic.channel.kind.value, readers=len(gone), why=why)
        if topic.asks.readers:
            self.loads.put(topic)
        self.release(topic)
        if gone:
            telling = topic.wire in self._gone
            self._gone.setdefault(topic.wire, {}).update(dict.fromkeys(gone))
            if not telling:
                self._tell_gap(topic.wire)

    def tell_digests(self, on: bool) -> None:
        """Whether hot channels are told by digests, from now on."""
        if on is not self._digests:
            self._digests = on
            log.info("feed_digests", on=on)
            for topic in self.topics.values():
                topic.out.pace(self._rate(topic.channel))

    def _rate(self, channel: Channel) -> float:
        return rate_of(channel, self._rates) if self._digests else 0.0

    # --- the bus

    def _on_confirmed(self, topic: Topic) -> None:
        topic.confirmed()
        self.loads.put(topic)

    def _on_batch(self, topic: Topic, payload: bytes) -> None:
        batch = decode_batch(payload)
        if batch is None:
            self._on_presence(topic, payload)
            return
        if not batch.size:
            topic.newest_is(batch.last, self.awake.now())
            if topic.asks.readers:
                self.loads.put(topic)
            return
        self._counters.batches += 1
        match topic.accept(batch, self.awake.now()):
            case Verdict.NEXT:
                if batch.traces:
                    self.flusher.traced.heard(topic.out, batch.traces, topic.channel.kind.value)
                self.flusher.work(topic.out)
            case Verdict.HOLE:
                self._counters.holes += 1
                self.loads.put(topic)
            case Verdict.OTHER_EPOCH:
                self.abandon(topic, "epoch")
            case Verdict.TOO_LARGE:
                self.abandon(topic, "an event larger than a frame")
            case Verdict.KNOWN | Verdict.WAITS:
                pass

    def _on_presence(self, topic: Topic, payload: bytes) -> None:
        """How the owner of a profile is now, or a member of an app's channel: no event, so it has no offset and nobody
        recovers it."""
        match topic.channel.kind:
            case ChannelKind.PROFILE:
                frame = decode_presence(payload)
            case ChannelKind.APP:
                frame = decode_member(topic.wire, payload)
            case _:
                frame = None
        if frame is None:
            self._counters.bus_garbage += 1
            return
        self._tell_presence(topic, list(topic.out.readers), frame)

    # --- out

    def _tell_presence(self, topic: Topic, readers: Sequence[Reader], frame: bytes) -> None:
        for reader in readers[:FLUSH_WRITES_PER_TURN]:
            if reader in topic.out.readers:
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
