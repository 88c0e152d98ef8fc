"""Who waits for an answer on one channel: in line behind Redis, or in the middle of being told what was missed. Pure.

An ask begins with a `subscribe`, or with an `unsubscribe` behind one, and ends when it was answered or is wanted no
more. Each begins and ends here, so that their number, of a process and of a client, is always true.
"""

from collections.abc import Iterator, KeysView
from typing import NamedTuple, Protocol

from rt.feed.positions import Position
from rt.wire.inbound import MessageId

__all__ = ["Ask", "Asks", "Joining", "Parting", "Reader", "UnderWay"]


class Reader(Protocol):
    """Who hears a topic."""

    def send(self, data: bytes) -> None:
        """Writes ready frames. Drops them when it is going."""

    def part_due(self) -> None:
        """A part of an answer is due: it fetches that (Recoveries.next_part) when it has room, in its turn."""


class Joining(NamedTuple):
    """A `subscribe` that waits for history, or whose client is told it. `deadline`: of the steady clock.

    Once `told`, `subscribed` is out, and `since` is how far the client was told: what cannot be finished is a `gap`.
    """

    reader: Reader
    id: MessageId
    since: Position | None
    deadline: float
    told: bool = False


class Parting(NamedTuple):
    """An `unsubscribe` behind a Joining of the same reader."""

    reader: Reader
    id: MessageId


Ask = Joining | Parting


class UnderWay:
    """How many asks of a process, and of each of its clients, have not ended."""

    __slots__ = ("_of", "total")

    def __init__(self) -> None:
        self.total = 0
        self._of: dict[Reader, int] = {}

    def of(self, reader: Reader) -> int:
        """How many of this client."""
        return self._of.get(reader, 0)

    def change(self, reader: Reader, by: int) -> None:
        """So many more, or fewer."""
        self.total += by
        left = self._of.get(reader, 0) + by
        if left > 0:
            self._of[reader] = left
        else:
            self._of.pop(reader, None)


class Asks:
    """Of one channel. A reader has a line; what it recovers by was the first of it, and the rest stands behind that."""

    __slots__ = ("_lines", "_recovering", "_under_way")

    def __init__(self, under_way: UnderWay) -> None:
        self._under_way = under_way
        self._lines: dict[Reader, list[Ask]] = {}  # never empty
        self._recovering: dict[Reader, Joining] = {}

    def __bool__(self) -> bool:
        return bool(self._lines or self._recovering)

    @property
    def readers(self) -> KeysView[Reader]:
        """Those who stand in line, be it behind their own recovery; a view, which changes with them."""
        return self._lines.keys()

    def recovers_by(self, reader: Reader) -> Joining | None:
        """What this one is in the middle of being told."""
        return self._recovering.get(reader)

    def last(self, reader: Reader) -> Ask | None:
        """The newest in its line."""
        line = self._lines.get(reader)
        return line[-1] if line else None

    def next(self, reader: Reader) -> Ask | None:
        """What of it may be answered now; None also while it recovers."""
        return None if reader in self._recovering or not (line := self._lines.get(reader)) else line[0]

    def is_followed(self, reader: Reader) -> bool:
        """Whether more stands behind what is next."""
        return len(self._lines.get(reader, ())) > 1

    def for_redis(self) -> Iterator[Joining]:
        """Of each reader whose next answer needs what Redis has, the join that it is about; do not change it meanwhile.

        One of each, lest one who asks three hundred times has as many histories read at once.
        """
        for reader, line in self._lines.items():
            if reader not in self._recovering:  # a client may have a hundred in line
                join = next((ask for ask in line if isinstance(ask, Joining)), None)
                if join is not None:
                    yield join

    def recovering(self) -> list[Joining]:
        """Those who are being told what they missed."""
        return list(self._recovering.values())

    # --- what can happen to one

    def wait(self, ask: Ask) -> None:
        """It begins, behind whatever of the same reader waits already."""
        self._lines.setdefault(ask.reader, []).append(ask)
        self._under_way.change(ask.reader, 1)

    def end_next(self, reader: Reader) -> None:
        """The first in its line ends. Raises LookupError where there is none that may be answered."""
        self._pop(reader)
        self._under_way.change(reader, -1)

    def recover(self, join: Joining) -> None:
        """This one, next of its reader, has its history in memory: it is told. Raises LookupError where it is not."""
        if self.next(join.reader) is not join:
            raise LookupError("it is not its turn")
        self._pop(join.reader)
        self._recovering[join.reader] = join

    def told(self, reader: Reader, up_to: Position) -> None:
        """It was told everything up to there, and is told more. Raises KeyError where it does not recover."""
        self._recovering[reader] = self._recovering[reader]._replace(since=up_to, told=True)

    def read_again(self, reader: Reader, deadline: float) -> None:
        """What comes next must be read first: to the head of its line. Raises KeyError where it does not recover.

        `deadline` holds for one that was told something: it has `subscribed`, and begins to wait anew.
        """
        join = self._recovering.pop(reader)
        if join.told:
            join = join._replace(deadline=deadline)
        self._lines[reader] = [join, *self._lines.get(reader, ())]

    def end_recovery(self, reader: Reader) -> None:
        """It was told everything, or is told no more; nothing where it does not recover."""
        if self._recovering.pop(reader, None) is not None:
            self._under_way.change(reader, -1)

    def end_line(self, reader: Reader) -> list[Ask]:
        """Whatever stands in its line ends."""
        line = self._lines.pop(reader, [])
        self._under_way.change(reader, -len(line))
        return line

    def restart(self) -> list[Reader]:
        """No recovery can go on. Who was told something ends, and is answered; the others stand in line again."""
        ended = [reader for reader, join in self._recovering.items() if join.told]
        for reader, join in list(self._recovering.items()):
            if join.told:
                self.end_recovery(reader)
            else:
                self.read_again(reader, join.deadline)
        return ended

    def _pop(self, reader: Reader) -> None:
        if self.next(reader) is None:
            raise LookupError("nothing of this reader may be answered now")
        line = self._lines[reader]
        del line[0]
        if not line:
            del self._lines[reader]
