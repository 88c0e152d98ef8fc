"""What a client that reads too slowly gets: newer instead of more, and in the end its close. Pure.

A Backlog exists only while the socket's buffer is over its mark. Frames of the live stream are queued, up to a cap;
of each map tile (and of `online`) only that there was something newer is kept.
"""

from config.limits import SEND_QUEUE_AGE_S_MAX, SEND_QUEUE_BYTES_MAX


class Backlog:
    """From the moment a socket falls behind until it has caught up. Times are of one steady clock, seconds."""

    __slots__ = ("_allowance", "_drained", "_progress_at", "_written", "held")

    def __init__(self, queued: int, now: float) -> None:
        self.held: dict[str, bytes] = {}  # tile -> its newest frame, which may be of no use: versions were skipped
        self._written = queued
        self._drained = 0
        self._progress_at = now
        # One answer may be larger than the cap (a thousand missed events): what was asked for does not count.
        self._allowance = max(0, queued - SEND_QUEUE_BYTES_MAX)

    def wrote(self, size: int, *, asked: bool) -> None:
        """`size` more bytes were queued; `asked`: as the answer to a message of the client."""
        self._written += size
        if asked:
            self._allowance += size

    def is_lost(self, queued: int, now: float) -> bool:
        """Whether the client must go, with `queued` bytes waiting: too many, or none taken for too long."""
        drained = self._written - queued
        if drained > self._drained:
            self._drained, self._progress_at = drained, now
        return queued > SEND_QUEUE_BYTES_MAX + self._allowance or now - self._progress_at >= SEND_QUEUE_AGE_S_MAX

    def hold(self, tile: str, frame: bytes) -> None:
        """Keeps the newest of a tile instead of queueing."""
        self.held[tile] = frame
