"""Who waits for a channel, who hears it, and who is gone before it was told."""

import asyncio
import time

from config.awake import AwakeClock
from config.limits import FLUSH_WRITES_PER_TURN
from config.redis import connect
from rt.channels.bus import Bus
from rt.channels.hub import Hub
from rt.channels.topic import Topic
from rt.feed.positions import Position
from rt.metrics import Counters
from rt.wire.bus import Batch, encode_presence
from rt.wire.channels import Channel, app_channel, parse
from rt.wire.frames import text_frame
from rt.wire.inbound import Since
from tests.support.gateway import until

CHANNEL = app_channel("open", "hub")
NOWHERE = "redis://127.0.0.1:1/0"  # the bus is not run: it notes what to subscribe to
WAITING = 20_000
FRAME = text_frame(b"{}")


class Reader:
    """One that hears."""

    def __init__(self) -> None:
        self.times = 0

    def send(self, _data: bytes) -> None:
        self.times += 1

    def part_due(self) -> None:
        """Fetches nothing by itself."""


class Leaver(Reader):
    """One that the first thing it is told closes."""

    def __init__(self, hub: Hub, channel: Channel) -> None:
        super().__init__()
        self.hub = hub
        self.channel = channel

    def send(self, data: bytes) -> None:
        super().send(data)
        self.hub.drop(self, self.channel.wire)


def make_hub() -> Hub:
    bus = Bus(NOWHERE, connect(NOWHERE), "gateway", Counters())
    return Hub(bus, Counters(), asyncio.get_running_loop(), AwakeClock(1.0))


def live(hub: Hub, channel: Channel, at: Position, hearing: int) -> tuple[Topic, list[Reader]]:
    """A channel that is live at this place, whoever began it still waiting, and so many who hear it."""
    hub.join(Reader(), None, channel, None)
    topic = hub.topics[channel.wire]
    topic.start(at, 0.0)
    readers = [Reader() for _ in range(hearing)]
    for reader in readers:
        hub.join(reader, None, channel, None)
    return topic, readers


async def test_one_that_its_answer_closes_does_not_stay() -> None:
    """Failed with the answer before the entry: a socket that was gone stayed among the readers for good."""
    hub, reader = make_hub(), Reader()
    hub.join(reader, None, CHANNEL, None)
    topic = hub.topics[CHANNEL.wire]
    topic.start(Position("epoch", 5), 0.0)
    leaver = Leaver(hub, CHANNEL)
    hub.join(leaver, None, CHANNEL, None)
    assert leaver.times
    assert leaver not in topic.out.readers


async def test_very_many_wait_and_go() -> None:
    """Failed (9 s) with one list of all that wait, which every join and every end walked through."""
    hub, readers = make_hub(), [Reader() for _ in range(WAITING)]
    began = time.monotonic()
    for reader in readers:
        hub.join(reader, None, CHANNEL, None)
    assert hub.under_way.total == WAITING
    for reader in readers:
        hub.drop(reader, CHANNEL.wire)
    assert hub.under_way.total == 0
    assert not hub.topics
    assert time.monotonic() - began < 5


async def test_a_turn_of_the_loop_writes_to_so_many_only() -> None:
    """Failed (twice as many) while what was put off was flushed beside what was under way, in a chain of its own."""
    hub = make_hub()
    readers = [Reader() for _ in range(20 * FLUSH_WRITES_PER_TURN)]
    hub.join(readers[0], None, CHANNEL, None)
    topic = hub.topics[CHANNEL.wire]
    topic.start(Position("epoch", 0), 0.0)
    for reader in readers[1:]:
        hub.join(reader, None, CHANNEL, None)
    sent = [reader.times for reader in readers]
    most = offset = 0
    while readers[-1].times < sent[-1] + 5:
        before = sum(reader.times for reader in readers)
        offset += 1
        topic.accept(Batch("epoch", offset, 1, FRAME), 0.0)
        hub.flusher.work(topic.out)
        await asyncio.sleep(0)
        most = max(most, sum(reader.times for reader in readers) - before)
    assert most == FLUSH_WRITES_PER_TURN


async def test_a_gap_is_told_to_so_many_a_turn_and_to_nobody_who_has_parted() -> None:
    """Failed with `gap` to all in one turn; the second half with a list of the readers at the beginning."""
    hub = make_hub()
    topic, readers = live(hub, CHANNEL, Position("epoch", 0), 3 * FLUSH_WRITES_PER_TURN)
    sent = [reader.times for reader in readers]
    hub.abandon(topic, "epoch")
    assert sum(reader.times for reader in readers) == sum(sent) + FLUSH_WRITES_PER_TURN
    parting, again = readers[-1], readers[-2]
    hub.part(parting, None, CHANNEL)
    hub.join(again, None, CHANNEL, None)
    for _ in range(4):
        await asyncio.sleep(0)
    told = [reader.times - before for reader, before in zip(readers, sent, strict=True)]
    assert told == [1] * (len(readers) - 2) + [0, 1]  # the last one heard `unsubscribed`
    assert not hub._gone


async def test_one_that_presence_closes_costs_nobody_else_a_word() -> None:
    """Failed with a walk over the readers themselves: they change when one is closed for being slow."""
    hub = make_hub()
    profile = parse("profile:somebody")
    assert profile is not None
    topic, readers = live(hub, profile, Position("epoch", 0), 2 * FLUSH_WRITES_PER_TURN)
    leaver = Leaver(hub, profile)
    topic.out.readers = {leaver: 0, **topic.out.readers}
    hub._on_batch(topic, encode_presence("somebody", "online", 1_700_000_000_000))
    await until(lambda: {reader.times for reader in readers} == {2})
    assert leaver not in topic.out.readers


async def test_frames_of_another_epoch_reach_nobody_who_has_joined_again() -> None:
    """Failed while the outbox outlived the epoch: old events behind the `subscribed` of the new one."""
    hub = make_hub()
    topic, readers = live(hub, CHANNEL, Position("old", 1_000), 2 * FLUSH_WRITES_PER_TURN)
    topic.accept(Batch("old", 1_001, 1, FRAME), 0.0)
    hub.flusher.work(topic.out)
    await asyncio.sleep(0)
    assert hub.flusher.is_writing()
    hub.abandon(topic, "epoch")
    topic.start(Position("new", 10), 0.0)
    hub.join(readers[-1], None, CHANNEL, Since("new", 10))
    told = readers[-1].times
    assert not hub.flusher.is_writing()
    topic.accept(Batch("new", 11, 1, FRAME), 0.0)
    hub.flusher.work(topic.out)
    await until(lambda: topic.out.sealed_offset == 11 and not hub.flusher.is_writing())
    assert readers[-1].times == told + 1
