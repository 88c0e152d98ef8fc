"""Whoever is told what it missed: each event once, in order, in frames that fit, whatever comes between."""

import asyncio
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from config.limits import ANSWER_PART_BYTES_MIN, FRAME_BYTES_MAX
from config.redis import connect
from rt.bus import Bus
from rt.feed.positions import Position, recover
from rt.feed.store import FeedStore
from rt.hub import Hub
from rt.loader import Loader, _next_wanted
from rt.metrics import Counters
from rt.topic import Topic
from rt.wire.bus import decode_batch, encode_batch, event_frame, event_of
from rt.wire.channels import app_channel
from rt.wire.frames import split_frames
from rt.wire.inbound import Since

EPOCH = "e"
CHANNEL, OTHER = app_channel("open", "recovery"), app_channel("open", "other")
NOWHERE = "redis://127.0.0.1:1/0"
LARGEST = FRAME_BYTES_MAX - len(event_frame(CHANNEL.wire, 10**3, b"")) - 6  # of a body, so that its frame still fits
LOOP = asyncio.new_event_loop()


class Client:
    """One that fetches its parts when it is told to, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.due = False
        self.largest = 0

    def send(self, data: bytes) -> None:
        for frame in split_frames(data):
            self.largest = max(self.largest, len(frame))
            head = 2 if frame[1] < 126 else 4 if frame[1] == 126 else 10
            self.heard.append(orjson.loads(frame[head:]))

    def part_due(self) -> None:
        self.due = True

    def offsets(self) -> list[int]:
        found = []
        for message in self.heard:
            if message["type"] == "subscribed":
                found += [entry["offset"] for entry in message["events"]]
                assert not message["recovered"] or message["offset"] == (found or [message["offset"]])[-1]
            elif message["type"] == "event":
                found.append(message["offset"])
        return found


class Scene:
    """A hub whose topics are read from `bodies`, a few events at a time, when `read` is called."""

    def __init__(self, sizes: list[int]) -> None:
        redis = connect(NOWHERE)
        self.counters = Counters()
        self.hub = Hub(Bus(NOWHERE, redis, "gateway", self.counters), self.counters, LOOP)
        self.loader = Loader(self.hub, FeedStore(redis), self.counters)
        self.bodies = [b'"%b"' % (b"x" * (size - 2)) for size in sizes]

    def topic(self, channel: Any = CHANNEL) -> Topic:
        return self.hub.topics[channel.wire]

    def read(self, topic: Topic, events: int) -> None:
        """What the loader does, with another Redis."""
        read = {}
        for since in _next_wanted(topic):
            if since is not None and self.hub.recoveries.has(topic, since):
                kept = []
            else:
                kept = list(enumerate(self.bodies, 1))[since.offset if since else 0 :][:events]
            history = recover(Position(EPOCH, len(self.bodies)), since, kept, partly=True)
            if since is not None and self.hub.recoveries.has(topic, since):
                history = history._replace(recovered=True)
            if not topic.epoch:
                topic.start(Position(EPOCH, len(self.bodies)))
            self.hub.recoveries.keep(topic, history)
            read[since] = history
        self.loader._resolve(topic, read)

    def publish(self, topic: Topic, size: int) -> None:
        self.bodies.append(b'"%b"' % (b"x" * (size - 2)))
        batch = decode_batch(encode_batch(EPOCH, topic.wire, len(self.bodies), self.bodies[-1:]))
        assert batch is not None
        topic.accept(batch)

    def flush(self, topic: Topic) -> None:
        topic.seal()
        for sealed in topic.outbox:
            for reader in sealed.readers:
                reader.send(sealed.data)
        topic.outbox.clear()


SIZES = st.one_of(st.integers(2, 2_000), st.integers(60_000, 70_000), st.integers(LARGEST - 1_100, LARGEST))
STEPS = st.tuples(st.sampled_from(("part", "part", "publish", "flush", "forget")), SIZES, st.integers(1, 5))


@given(st.lists(SIZES, min_size=1, max_size=12), st.integers(0, 11), st.lists(STEPS, max_size=20))
def test_each_event_once_in_order_and_in_frames_that_fit(
    sizes: list[int], since: int, steps: list[tuple[str, int, int]]
) -> None:
    """Failed with: a part that has one event at least in `subscribed` (a frame of 262,3xx bytes); an end at the
    topic's offset where the rest was pending for its readers too (the event twice); a history that was given up
    between two parts and never read again."""
    scene, client = Scene(sizes), Client()
    since = min(since, len(sizes))
    scene.hub.join(client, "i" * 64, CHANNEL, Since(EPOCH, since))
    topic = scene.topic()
    scene.read(topic, 3)
    for step, size, number in [*steps, *[("part", 2, 5)] * 60]:
        match step:
            case "publish":
                scene.publish(topic, size)
            case "flush":
                scene.flush(topic)
            case "forget":
                topic.forget_past()
            case "part":
                scene.hub.recoveries.next_part(client, FRAME_BYTES_MAX if number > 3 else ANSWER_PART_BYTES_MIN)
        if topic.waiting:
            scene.read(topic, number)
    scene.flush(topic)
    assert client in topic.readers
    assert client.offsets() == list(range(since + 1, len(scene.bodies) + 1))
    assert client.largest <= FRAME_BYTES_MAX
    assert not scene.hub.recoveries.under_way(client)
    assert (scene.hub.waiting, scene.hub.recoveries.budget.used, topic.past) == (0, 0, None)


@given(st.integers(0, 70_000), st.integers(1, 2**53))
def test_the_body_comes_out_of_its_frame(size: int, offset: int) -> None:
    body = b'{"id":"%b"}' % (b"x" * size)
    assert event_of(CHANNEL.wire, offset, event_frame(CHANNEL.wire, offset, body)) == body


def recovering(scene: Scene, *channels: Any) -> Client:
    """A client in the middle of recoveries; of the first it has been told a part."""
    client = Client()
    for channel in channels:
        scene.hub.join(client, channel.wire, channel, Since(EPOCH, 0))
        scene.read(scene.topic(channel), 100)
    assert scene.hub.recoveries.next_part(client, ANSWER_PART_BYTES_MIN)
    return client


def test_who_is_told_a_part_hears_the_gap_and_who_was_not_told_waits_again() -> None:
    """Failed while only readers were told: the client waited for the rest for good."""
    scene = Scene([10_000] * 10)
    client, late = recovering(scene, CHANNEL), Client()
    scene.hub.join(late, 1, CHANNEL, Since(EPOCH, 0))
    scene.read(scene.topic(), 100)
    scene.hub.abandon(scene.topic(), "epoch")
    assert [message["type"] for message in client.heard] == ["subscribed", "gap"]
    assert (late.heard, late in scene.topic().waiting, scene.hub.waiting) == ([], True, 1)
    assert not scene.hub.recoveries.under_way(client)
    assert not scene.hub.recoveries.under_way(late)


def test_a_forgotten_history_is_a_gap() -> None:
    """What was missed is trimmed while the client reads. Failed with `subscribed` a second time."""
    scene = Scene([10_000] * 10)
    client = recovering(scene, CHANNEL)
    topic = scene.topic()
    topic.forget_past()
    assert not scene.hub.recoveries.next_part(client, ANSWER_PART_BYTES_MIN)
    (since,) = _next_wanted(topic)
    scene.loader._resolve(topic, {since: recover(Position(EPOCH, 10), since, [])})
    assert [message["type"] for message in client.heard] == ["subscribed", "gap"]
    assert (scene.hub.waiting, scene.hub.topics) == (0, {})


def test_one_answer_at_a_time_and_nothing_is_left_of_one_that_goes() -> None:
    """Failed with parts of all that a client recovers in turn; and while a line outlived its client."""
    scene = Scene([10_000] * 10)
    client = recovering(scene, CHANNEL, OTHER)
    for _ in range(4):
        scene.hub.recoveries.next_part(client, ANSWER_PART_BYTES_MIN)
    assert {message["channel"] for message in client.heard} == {CHANNEL.wire}
    scene.hub.drop(client, CHANNEL.wire)
    client.due = False
    scene.hub.recoveries.next_part(client, ANSWER_PART_BYTES_MIN)
    assert client.heard[-1]["channel"] == OTHER.wire
    scene.hub.drop(client, OTHER.wire)
    assert not scene.hub.recoveries.under_way(client)
    assert (scene.hub.waiting, scene.hub._asks, scene.hub.topics, scene.hub.recoveries.budget.used) == (0, {}, {}, 0)
    assert not scene.hub.recoveries._pasts
