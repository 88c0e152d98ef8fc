"""What a topic accepts, and who hears it. How history and the live stream meet: test_recovery.py."""

from config.limits import FRAME_BYTES_MAX
from rt.channels.asks import UnderWay
from rt.channels.topic import Topic, Verdict
from rt.feed.positions import History, Position
from rt.wire.bus import Batch, decode_batch, encode_batch
from rt.wire.channels import COMMUNITY
from rt.wire.frames import split_frames

EPOCH = "e"


class Ear:
    """A reader that remembers what it was written."""

    def __init__(self) -> None:
        self.heard = b""

    def send(self, data: bytes) -> None:
        self.heard += data

    def part_due(self) -> None:
        """Fetches nothing by itself."""

    def offsets(self) -> list[int]:
        return [int(frame.split(b'"offset":')[1].split(b",")[0]) for frame in split_frames(self.heard)]


def batch(first: int, last: int, epoch: str = EPOCH) -> Batch:
    made = decode_batch(encode_batch(epoch, "community", first, [b"{}"] * (last - first + 1)))
    assert made is not None
    return made


def history(since: int, head: int) -> History:
    return History(EPOCH, head, True, [(at, b"{}") for at in range(since + 1, head + 1)])


def write(topic: Topic) -> None:
    """What the hub does with a topic's outbox, when nobody has left meanwhile."""
    topic.out.seal()
    for sealed in topic.out.sealed:
        for reader in sealed.readers:
            reader.send(sealed.data)
    topic.out.sealed.clear()


def live(offset: int = 0) -> tuple[Topic, Ear]:
    topic, ear = Topic(COMMUNITY, UnderWay()), Ear()
    topic.start(Position(EPOCH, offset), 0.0)
    topic.out.add(ear)
    return topic, ear


def test_only_the_next_is_new() -> None:
    topic, ear = live(5)
    assert topic.accept(batch(6, 8), 0.0) is Verdict.NEXT
    assert topic.accept(batch(6, 8), 0.0) is Verdict.KNOWN
    assert topic.accept(batch(8, 10), 0.0) is Verdict.NEXT
    assert topic.accept(batch(11, 11, "other"), 0.0) is Verdict.OTHER_EPOCH
    assert topic.accept(batch(12, 12), 0.0) is Verdict.HOLE
    write(topic)
    assert ear.offsets() == [6, 7, 8, 9, 10]


def test_a_hole_is_filled_and_what_came_after_it_follows() -> None:
    topic, ear = live(5)
    assert topic.accept(batch(8, 9), 0.0) is Verdict.HOLE
    assert topic.accept(batch(10, 10), 0.0) is Verdict.WAITS
    assert topic.fill(history(5, 7), 0.0)
    write(topic)
    assert ear.offsets() == [6, 7, 8, 9, 10]


def test_a_history_that_is_not_whole_fills_nothing() -> None:
    topic, _ = live(5)
    topic.confirmed()
    assert not topic.fill(History(EPOCH, 9, False, []), 0.0)
    assert not topic.fill(History("other", 9, True, []), 0.0)
    assert topic.offset == 5


def test_who_joins_later_does_not_get_what_was_pending() -> None:
    """Failed without the seal in `add`: the new reader was written what its `subscribed` had told already."""
    topic, ear = live(0)
    topic.accept(batch(1, 2), 0.0)
    late = Ear()
    topic.out.add(late)
    topic.accept(batch(3, 3), 0.0)
    write(topic)
    assert ear.offsets() == [1, 2, 3]
    assert late.offsets() == [3]


def test_an_event_that_fits_into_no_frame_ends_the_stream_here() -> None:
    """Failed while it went to every reader: a client's library closes 1009 at it, and again whenever it comes back."""
    topic, ear = live(5)
    large = decode_batch(encode_batch(EPOCH, "community", 6, [b"{}", b'"%b"' % (b"x" * FRAME_BYTES_MAX)]))
    assert large is not None
    assert topic.accept(large, 0.0) is Verdict.TOO_LARGE
    many = decode_batch(encode_batch(EPOCH, "community", 6, [b'"%b"' % (b"x" * (FRAME_BYTES_MAX // 2))] * 3))
    assert many is not None
    assert topic.accept(many, 0.0) is Verdict.NEXT
    topic.confirmed()
    assert not topic.fill(History(EPOCH, 9, True, [(9, b'"%b"' % (b"x" * FRAME_BYTES_MAX))]), 0.0)
    write(topic)
    assert ear.offsets() == [6, 7, 8]
