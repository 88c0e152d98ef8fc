"""Clients that are told what they missed: the oldest part in `subscribed`, the rest as events, then the live stream.

A part is made when the client has room for it (rt/pump.py), out of a history in memory that all share. One answer at a
time for a client; the others stand in line. Whoever has been told everything up to the topic's offset becomes one of
its readers; until then the live stream goes into the history, and nobody waits for anybody.
"""

from typing import TYPE_CHECKING, Final

from config.limits import EPOCH_WAIT_S, FRAME_BYTES_MAX, PASTS_BYTES_MAX
from rt.feed.past import Budget
from rt.feed.positions import History, Position
from rt.topic import Join, Reader, Topic
from rt.wire import outbound
from rt.wire.bus import event_frame, event_of

if TYPE_CHECKING:
    from rt.hub import Hub

__all__ = ["Recoveries", "hear", "target_of"]

_SUBSCRIBED_BYTES: Final = 1_024  # of `subscribed` without its events: channel, epoch and id are bounded


class Recoveries:
    """See the module. One per process."""

    def __init__(self, hub: "Hub") -> None:
        self.budget = Budget()
        self._hub = hub
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
        if not (topic.waiting or topic.recovering):
            self._pasts.pop(topic, None)
            topic.forget_past()

    def _bound(self) -> None:
        while self.budget.used > PASTS_BYTES_MAX and len(self._pasts) > 1:
            oldest = next(iter(self._pasts))
            del self._pasts[oldest]
            oldest.forget_past()

    # --- clients

    def begin(self, topic: Topic, join: Join) -> None:
        """What it misses is in memory: it is told as its socket drains, in line behind its other answers."""
        reader = join.reader
        topic.recovering[reader] = join
        self._lines.setdefault(reader, {})[topic] = None  # where it stood, if more was read for it
        reader.part_due()

    def leave(self, topic: Topic, reader: Reader) -> Join | None:
        """It is told no more of this topic, and the next in its line is under way. What it recovered by, if it did."""
        line = self._lines.get(reader)
        if line is not None and line.pop(topic, topic) is None:
            if line:
                reader.part_due()
            else:
                del self._lines[reader]
        return topic.recovering.pop(reader, None)

    def next_part(self, reader: Reader, bytes_max: int) -> int:
        """Sends what is under way for this client, about `bytes_max` of it; returns how many bytes, 0 = none now."""
        line = self._lines.get(reader)
        if line is None:
            return 0
        topic = next(iter(line))
        join = topic.recovering.get(reader)
        if join is None:
            return 0  # more is being read for it
        at = join.since.offset if join.since is not None else 0
        frames = _part(topic, at, bytes_max, FRAME_BYTES_MAX if join.told else FRAME_BYTES_MAX - _SUBSCRIBED_BYTES)
        if frames is None:
            self._read_again(topic, join)
            return 0
        if not frames and (join.told or _part(topic, at, FRAME_BYTES_MAX, FRAME_BYTES_MAX) == []):
            return self._cannot(topic, join)
        at += len(frames)
        if at == target_of(topic, at):
            self._end(topic, reader)
            hear(topic, reader, at)  # before it is told: the answer may be what closes it
        else:
            topic.recovering[reader] = join._replace(since=Position(topic.epoch, at), told=True)
        if join.told:
            data = b"".join(frames)
            reader.send(data)
            size = len(data)
        else:
            first = at - len(frames) + 1
            events = [(offset, event_of(topic.wire, offset, frame)) for offset, frame in enumerate(frames, first)]
            size = self._hub.answer(topic, reader, join.id, True, at, events)
            if reader in topic.waiting:  # it has parted, or joined again from elsewhere, meanwhile
                self._end(topic, reader)
                self._hub.load(topic)
        self._hub.release(topic)
        return size

    def _end(self, topic: Topic, reader: Reader) -> None:
        if self.leave(topic, reader) is not None:
            self._hub.waited(reader, 1)

    def _read_again(self, topic: Topic, join: Join) -> None:
        """What comes next is not in memory: Redis is asked. Whatever else of this client waits stands behind it."""
        del topic.recovering[join.reader]
        if join.told:
            join = join._replace(deadline=self._hub.awake.now() + EPOCH_WAIT_S)
        topic.waiting[join.reader] = [join, *topic.waiting.get(join.reader, ())]
        self._hub.load(topic)

    def _cannot(self, topic: Topic, join: Join) -> int:
        """The next event is larger than a frame may be: pages have it."""
        reader = join.reader
        self._end(topic, reader)
        if join.told:
            frame = outbound.gap(topic.wire)
            reader.send(frame)
            size = len(frame)
        else:
            hear(topic, reader, topic.sealed_offset)
            size = self._hub.answer(topic, reader, join.id, False, topic.sealed_offset, ())
        if reader in topic.waiting:
            self._hub.load(topic)
        self._hub.release(topic)
        return size


def target_of(topic: Topic, offset: int) -> int:
    """Up to where one who has `offset` is told: what is pending for the readers comes to it with them."""
    return topic.sealed_offset if offset <= topic.sealed_offset else topic.offset


def hear(topic: Topic, reader: Reader, offset: int) -> None:
    """It was told everything up to `offset`, which is its target: the live stream goes on from there."""
    topic.add(reader, hears_pending=offset == topic.sealed_offset)


def _part(topic: Topic, after: int, bytes_max: int, largest: int) -> list[bytes] | None:
    """The frames that follow, up to the target: as many as fit into `bytes_max`, or one of up to `largest`.

    Empty: it is larger. None: they are not in memory.
    """
    if topic.past is None:
        return None
    frames = topic.past.part(after, min(bytes_max, largest))
    if frames is not None and not frames:
        frames = (topic.past.part(after, largest) or [])[:1]
    return None if frames is None else frames[: target_of(topic, after) - after]
