"""When a client that reads too slowly must go. Pure.

A Backlog exists only while the socket's buffer is over its mark. What waits there is bounded, whatever it is; of an
answer that is longer only one part waits, and the next is made when the socket has drained (rt/sockets/pump.py).
"""

from config.limits import SEND_QUEUE_AGE_S_MAX, SEND_QUEUE_BYTES_MAX, SEND_QUEUE_BYTES_PER_S_MIN


class Backlog:
    """From the moment a socket falls behind until it has caught up. Times are of one steady clock, seconds."""

    __slots__ = ("_allowance", "_looked_at", "_taken", "_written")

    def __init__(self, queued: int, now: float) -> None:
        self._written = queued
        self._taken = 0  # bytes, when the last stretch of SEND_QUEUE_AGE_S_MAX began ...
        self._looked_at = now  # ... at this time
        self._allowance = 0

    def wrote(self, size: int) -> None:
        """`size` more bytes were queued."""
        self._written += size

    def allow(self, size: int) -> None:
        """So many of what is queued are the part of an answer, and do not count: it is no larger than a frame."""
        self._allowance = size

    def is_lost(self, queued: int, now: float) -> bool:
        """Whether the client must go, with `queued` bytes waiting: too many, or too few taken for too long."""
        if queued > SEND_QUEUE_BYTES_MAX + self._allowance:
            return True
        passed_s = now - self._looked_at
        if passed_s < SEND_QUEUE_AGE_S_MAX:
            return False
        taken = self._written - queued
        if taken - self._taken < SEND_QUEUE_BYTES_PER_S_MIN * passed_s:
            return True
        self._taken, self._looked_at = taken, now
        return False
