"""A hot channel: delivered + declared = all, for every reader, whenever it joined."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.limits import DIGEST_BURST_S
from rt.channels.asks import UnderWay
from rt.channels.digest import Rate, digest, rate_of
from rt.channels.topic import Topic, Verdict
from rt.feed.positions import Position
from rt.wire.bus import Batch, event_frame
from rt.wire.channels import COMMUNITY, app_channel
from rt.wire.frames import split_frames

TYPES = ("workout_completed", "streak")


def batch(first: int, size: int) -> Batch:
    bodies = [b'{"id":"%d","type":"%b"}' % (at, TYPES[at % 2].encode()) for at in range(first, first + size)]
    frames = b"".join(event_frame("community", first + n, body) for n, body in enumerate(bodies))
    return Batch("e", first, size, frames)


class Ear:
    """A client that knows where it stands and what it was told."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.delivered = self.declared = self.frames = 0

    def part_due(self) -> None:
        """Fetches nothing by itself."""

    def send(self, data: bytes) -> None:
        for frame in split_frames(data):
            message: dict[str, Any] = orjson.loads(frame[2 if frame[1] < 126 else 4 :])
            self.frames += 1
            if message["type"] == "event":
                assert message["offset"] == self.at + 1
                self.at += 1
                self.delivered += 1
            else:
                assert message["from"] == self.at + 1
                assert sum(message["counts"].values()) == message["to"] - message["from"] + 1
                assert all(message["from"] <= shown["offset"] <= message["to"] for shown in message["events"])
                self.declared += message["to"] - self.at
                self.at = message["to"]


def deliver(topic: Topic) -> None:
    topic.out.seal()
    for sealed in topic.out.sealed:
        for reader in sealed.readers:
            reader.send(sealed.data)
    topic.out.sealed.clear()


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 0.5), st.booleans()), max_size=40), st.integers(2, 30))
def test_delivered_and_declared_are_all(turns: list[tuple[int, float, bool]], rate: int) -> None:
    """Failed with a digest that began at the first pending offset where events went out before it, with one whose
    `to` was an offset short, and with `spend` not counting the digest itself."""
    topic = Topic(COMMUNITY, UnderWay(), rate)
    topic.out.rate = Rate(rate, burst_s=1)
    topic.start(Position("e", 0), 0.0)
    ears = [Ear(0)]
    topic.out.add(ears[0])
    now, joins = 0.0, 0
    for size, pause_s, joins_now in turns:
        assert topic.accept(batch(topic.offset + 1, size), now) is Verdict.NEXT
        now += pause_s
        if topic.out.may_seal(now):
            deliver(topic)
        if joins_now:
            ears.append(Ear(topic.out.sealed_offset))
            topic.out.add(ears[-1], hears_pending=True)
        joins += joins_now
    deliver(topic)
    for ear in ears:
        assert ear.at == topic.offset
    assert ears[0].delivered + ears[0].declared == topic.offset
    assert ears[0].frames <= rate * (1 + now) + 1


def test_a_rate_rests_and_never_saves_more_than_its_burst() -> None:
    assert Rate(20).spend(20 * DIGEST_BURST_S) == 20 * DIGEST_BURST_S
    rate = Rate(20, burst_s=1)
    rate.refresh(100.0)
    assert rate.spend(50) == 19  # and one digest
    ready = []
    for now in (100.0, 100.04, 100.06):
        rate.refresh(now)
        ready.append(rate.ready)
    assert ready == [False, False, True]
    assert rate.spend(1000) == 0
    rate.refresh(500.0)
    assert rate.spend(20) == 20


def test_a_digest_says_what_it_stands_for() -> None:
    frames = list(split_frames(batch(5, 4).frames))
    message = orjson.loads(digest("community", 5, frames)[4:])
    assert (message["type"], message["channel"], message["from"], message["to"]) == ("digest", "community", 5, 8)
    assert message["counts"] == {"streak": 2, "workout_completed": 2}
    assert [shown["offset"] for shown in message["events"]] == [6, 7, 8]
    assert message["events"][-1]["event"] == {"id": "8", "type": "workout_completed"}


@pytest.mark.parametrize(
    ("channel", "rate"), [(COMMUNITY, 20.0), (app_channel("bench", "main"), 0.0), (app_channel("hot", "x"), 5.0)]
)
def test_rates_are_of_kinds_and_of_apps(channel: Any, rate: float) -> None:
    assert rate_of(channel, {"community": 20.0, "app:hot": 5.0}) == rate
