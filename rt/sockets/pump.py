"""Long answers go out in parts: whoever has one due gets the next part when its socket has room and its turn comes.

A part is built in the turn in which it is written, so that what waits in a process is what its sockets have not read,
and not what was asked for. Parts get ANSWERS_TURN_S of each turn of the loop, in turn for all who have some due; while
much is unread in the process they are small.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from config.limits import FRAME_BYTES_MAX

__all__ = ["Due", "Pump"]

ANSWER_PART_BYTES_MIN: Final = 16 * 1024  # of a long answer, at once ...
ANSWERS_BYTES_MAX: Final = 16 * 1024 * 1024  # ... once this much is unread in a process; before, FRAME_BYTES_MAX
ANSWERS_TURN_S: Final = 0.002  # of each turn of the loop for parts of answers


class Due(Protocol):
    """One socket that something is due for."""

    def next_part(self, bytes_max: int) -> int:
        """Writes the next part, about `bytes_max` at most; how many bytes. 0: there is no room, or nothing due."""


class Pump:
    """One per process. `unread`: bytes that its sockets have not taken yet."""

    __slots__ = ("_due", "_loop", "_turning", "_unread")

    def __init__(self, loop: asyncio.AbstractEventLoop, unread: Callable[[], int]) -> None:
        self._loop = loop
        self._unread = unread
        self._due: dict[Due, None] = {}
        self._turning = False

    def add(self, one: Due) -> None:
        """Something is due for it, and it may have room."""
        self._due[one] = None
        self._schedule()

    def leave(self, one: Due) -> None:
        """Nothing is due for it any more."""
        self._due.pop(one, None)

    def _schedule(self) -> None:
        if not self._turning and self._due:
            self._turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        ends = monotonic() + ANSWERS_TURN_S
        room = ANSWERS_BYTES_MAX - self._unread()
        try:
            while self._due:
                one = next(iter(self._due))
                del self._due[one]
                written = one.next_part(FRAME_BYTES_MAX if room > 0 else ANSWER_PART_BYTES_MIN)
                room -= written
                if written:
                    self._due[one] = None  # behind the others
                if monotonic() >= ends:
                    break
        finally:
            self._turning = False
            self._schedule()
