"""Positions of a feed and the two rules about them: what a returning client gets, and what Redis may forget. Pure.

A position is an epoch and an offset. Offsets of a channel are dense from 1; PostgreSQL gives them out, Redis keeps
the newest ones. Source of the rules: rt/wire/asyncapi.yaml.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from config.limits import FEED_STREAM_EVENTS, FEED_STREAM_EVENTS_MAX, FEED_STREAM_S

# A mark each tenth of a second of history or so would be exact; ten seconds too much are only ten seconds more kept.
MARK_EVERY_S: Final = 10.0


class Position(NamedTuple):
    """A place in one channel's stream: `offset` of the newest event seen, 0 = before the first."""

    epoch: str
    offset: int


class History(NamedTuple):
    """The head of a channel and what a client missed, oldest first.

    `recovered`: None without a `since`; True = `events` is everything after it, or its oldest part where only that was
    read; False = `events` is empty.
    """

    epoch: str
    offset: int
    recovered: bool | None
    events: list[tuple[int, bytes]]


def recover(
    head: Position, since: Position | None, kept: Sequence[tuple[int, bytes]], *, partly: bool = False
) -> History:
    """What a client that has `since` gets when the channel is at `head`. Whole or nothing, never with a hole.

    `kept`: the entries that Redis still has after `since`, oldest first; `partly`: perhaps without the newest ones,
    which are read when the client has been told these. Another epoch, an offset from the future and a missing entry all
    answer False; nothing missed is True whatever was forgotten.
    """
    if since is None:
        return History(head.epoch, head.offset, None, [])
    missed = head.offset - since.offset
    enough = len(kept) == missed or (partly and 0 < len(kept) < missed)
    whole = since.epoch == head.epoch and since.offset >= 0 and missed >= 0 and enough
    if whole and all(offset == since.offset + n for n, (offset, _) in enumerate(kept, 1)):
        return History(head.epoch, head.offset, True, list(kept))
    return History(head.epoch, head.offset, False, [])


class Window:
    """How far back a stream must be kept: remembers, coarsely, which offset was the head at which time.

    It knows only what was appended since it was made; what is older counts as appended at the first call, so that a
    restarted relay forgets late rather than early.
    """

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()  # (time, head then); at most FEED_STREAM_S / MARK_EVERY_S + 2

    def keep_from(self, head: int, now: float) -> int:
        """The lowest offset to keep once the channel is at `head`; `now` in seconds of any steady clock.

        Keeps the last FEED_STREAM_EVENTS and everything of the last FEED_STREAM_S, but never more than
        FEED_STREAM_EVENTS_MAX.
        """
        if not self._marks or now - self._marks[-1][0] >= MARK_EVERY_S:
            self._marks.append((now, head))
        # The oldest mark stays while it is the newest one that is old enough: everything up to its head may go.
        while len(self._marks) > 1 and now - self._marks[1][0] >= FEED_STREAM_S:
            self._marks.popleft()
        at, aged = self._marks[0]
        by_time = aged + 1 if now - at >= FEED_STREAM_S else 1
        by_count = head - FEED_STREAM_EVENTS + 1
        return max(1, min(by_time, by_count), head - FEED_STREAM_EVENTS_MAX + 1)
