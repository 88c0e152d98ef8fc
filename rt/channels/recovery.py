"""Clients that are told what they missed: the oldest part in `subscribed`, the rest as events, then the live stream.

A part is made when the client has room for it (rt/sockets/pump.py), out of a history in memory that all share. One
answer at a time for a client; the others stand in line. Whoever has been told everything up to the topic's offset
becomes one of its readers; until then the live stream goes into the history, and nobody waits for anybody.
"""

from collections.abc import Callable, Iterable
from typing import Final

from config.awake import AwakeClock
from config.limits import EPOCH_WAIT_S, FRAME_BYTES_MAX
from rt.channels.asks import Joining, Reader
from rt.channels.loadqueue import LoadQueue
from rt.channels.past import Budget
from rt.channels.topic import Topic
from rt.feed.positions import History, Position
from rt.metrics import Counters
from rt.wire import outbound
from rt.wire.bus import event_frame, event_of
from rt.wire.inbound import MessageId

__all__ = ["Recoveries", "answer"]

PASTS_BYTES_MAX: Final = 32 * 1024 * 1024  # of the histories of a process in memory; what is given up is read again

_SUBSCRIBED_BYTES: Final = 1_024  # of `subscribed` without its events: channel, epoch and id are bounded


def answer(
    counters: Counters,
    topic: Topic,
    reader: Reader,
    message_id: MessageId,
    recovered: bool | None,
    offset: int,
    events: Iterable[tuple[int, bytes]] = (),
) -> int:
    """Tells the reader where it stands; returns how many bytes that took."""
    counters.subscribes += 1
    counters.recovered += recovered is True
    counters.unrecovered += recovered is False
    frame = outbound.subscribed(
        message_id, channel=topic.wire, epoch=topic.epoch, offset=offset, recovered=recovered, events=events
    )
    reader.send(frame)
    return len(frame)


class Recoveries:
    """See the module. One per process. `release` lets a topic go that nobody wants any more."""

    def __init__(
        self,
        loads: LoadQueue,
        counters: Counters,
        awake: AwakeClock,
        release: Callable[[Topic], None],
    ) -> None:
        self.budget = Budget()
        self._loads = loads
        self._counters = counters
        self._awake = awake
        self._release = release
        self._lines: dict[Reader, dict[Topic, None]] = {}  # the first of a line is under way
        self._pasts: dict[Topic, None] = {}  # topics with a history in memory, the one that was read last at the end

    def under_way(self, reader: Reader) -> bool:
        """Whether parts are due for it."""
        return reader in self._lines

    # --- history in memory

    def keep(self, topic: Topic, history: History) -> None:
        """What was read for those who wait: all of it, or the oldest part."""
        if topic.past is None or history.epoch != topic.epoch or not history.events:
            return
        frames = [event_frame(topic.wire, at, body) for at, body in history.events]
        topic.past.add(history.events[0][0], frames)
        self._pasts.pop(topic, None)
        self._pasts[topic] = None
        self._bound()

    def has(self, topic: Topic, since: Position | None) -> bool:
        """Whether what follows that place is in memory, at least its beginning."""
        return (
            since is not None
            and topic.past is not None
            and since.epoch == topic.epoch
            and since.offset < topic.offset
            and topic.past.has(since.offset + 1)
        )

    def settle(self, topic: Topic) -> None:
        """Somebody waits no more: the history goes with the last one who needs it."""
        if not topic.asks:
            self._pasts.pop(topic, None)
            topic.forget_past()

    def _bound(self) -> None:
        while self.budget.used > PASTS_BYTES_MAX and len(self._pasts) > 1:
            oldest = next(iter(self._pasts))
            del self._pasts[oldest]
            oldest.forget_past()

    # --- clients

    def begin(self, topic: Topic, join: Joining) -> None:
        """What it misses is in memory: it is told as its socket drains, in line behind its other answers."""
        topic.asks.recover(join)
        self._lines.setdefault(join.reader, {})[topic] = None  # where it stood, if more was read for it
        join.reader.part_due()

    def leave(self, topic: Topic, reader: Reader) -> None:
        """It is told no more of this topic, and the next in its line is under way."""
        line = self._lines.get(reader)
        if line is not None and line.pop(topic, topic) is None:
            if line:
                reader.part_due()
            else:
                del self._lines[reader]
        topic.asks.end_recovery(reader)

    def next_part(self, reader: Reader, bytes_max: int) -> int:
        """Sends what is under way for this client, about `bytes_max` of it; returns how many bytes, 0 = none now."""
        line = self._lines.get(reader)
        if line is None:
            return 0
        topic = next(iter(line))
        join = topic.asks.recovers_by(reader)
        if join is None:
            return 0  # more is being read for it
        at = join.since.offset if join.since is not None else 0
        frames = _part(topic, at, bytes_max, FRAME_BYTES_MAX if join.told else FRAME_BYTES_MAX - _SUBSCRIBED_BYTES)
        if frames is None:  # Redis is asked; whatever else of this client waits stands behind it
            topic.asks.read_again(reader, self._awake.now() + EPOCH_WAIT_S)
            self._loads.put(topic)
            return 0
        if not frames and (join.told or _part(topic, at, FRAME_BYTES_MAX, FRAME_BYTES_MAX) == []):
            return self._cannot(topic, join)
        at += len(frames)
        if at == topic.target_of(at):
            self.leave(topic, reader)
            topic.hear(reader, at)  # before it is told: the answer may be what closes it
        else:
            topic.asks.told(reader, Position(topic.epoch, at))
        if join.told:
            data = b"".join(frames)
            reader.send(data)
            size = len(data)
        else:
            first = at - len(frames) + 1
            events = [(offset, event_of(topic.wire, offset, frame)) for offset, frame in enumerate(frames, first)]
            size = answer(self._counters, topic, reader, join.id, True, at, events)
            if reader in topic.asks.readers:  # it has parted, or joined again from elsewhere, meanwhile
                self.leave(topic, reader)
                self._loads.put(topic)
        self._release(topic)
        return size

    def _cannot(self, topic: Topic, join: Joining) -> int:
        """The next event is larger than a frame may be: pages have it."""
        reader = join.reader
        self.leave(topic, reader)
        if join.told:
            frame = outbound.gap(topic.wire)
            reader.send(frame)
            size = len(frame)
        else:
            topic.hear(reader, topic.out.sealed_offset)
            size = answer(self._counters, topic, reader, join.id, False, topic.out.sealed_offset)
        if reader in topic.asks.readers:
            self._loads.put(topic)
        self._release(topic)
        return size

    def abandon(self, topic: Topic) -> None:
        """The topic begins again: nothing of it is under way."""
        for join in topic.asks.recovering():
            line = self._lines[join.reader]
            del line[topic]
            if line:
                join.reader.part_due()
            else:
                del self._lines[join.reader]


def _part(topic: Topic, after: int, bytes_max: int, largest: int) -> list[bytes] | None:
    """The frames that follow, up to the target: as many as fit into `bytes_max`, or one of up to `largest`.

    Empty: it is larger. None: they are not in memory.
    """
    if topic.past is None:
        return None
    frames = topic.past.part(after, min(bytes_max, largest))
    if frames is not None and not frames:
        frames = (topic.past.part(after, largest) or [])[:1]
    return None if frames is None else frames[: topic.target_of(after) - after]
