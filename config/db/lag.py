"""How far behind its primary a standby is, by positions of both and one steady clock. Pure.

No clock of a server is asked: what the primary had written at an instant, and what the standby has replayed, say up to
which instant the standby has everything.
"""

from collections import deque
from typing import Final

_KEPT_S: Final = 60.0  # what the standby has not replayed by then it may never: the primary was replaced


class Lag:
    """Positions are in bytes of the write-ahead log; times are seconds of one steady clock."""

    __slots__ = ("_written", "whole_at")

    def __init__(self) -> None:
        self._written: deque[tuple[float, int]] = deque()  # oldest first: when, and how far the primary was then
        self.whole_at = float("-inf")  # the standby has everything up to then

    def primary_at(self, now: float, position: int) -> None:
        """The primary had written so far at `now`."""
        while self._written and self._written[0][0] < now - _KEPT_S:
            self._written.popleft()
        self._written.append((now, position))

    def replica_at(self, position: int) -> None:
        """The standby has replayed so far, at some time after the last `primary_at`."""
        while self._written and self._written[0][1] <= position:
            self.whole_at = self._written.popleft()[0]

    def behind_s(self, now: float) -> float:
        """How old at most what it answers at `now` may be; infinite while nobody knows."""
        return now - self.whole_at
