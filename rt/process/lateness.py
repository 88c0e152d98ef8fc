"""How late the event loop is for an appointment: a turn of the loop that takes long makes it so."""

import asyncio
from typing import Final

__all__ = ["Lateness"]

LOOP_LATE_S: Final = 0.002  # a loop that is late by this is busy, and ...
LOOP_LOOK_S: Final = (0.01, 0.1)  # ... is looked at this often; and at rest, where each look wakes the process

_WINDOW_S: Final = 60.0


class Lateness:
    """The longest gap of the last minute."""

    def __init__(self) -> None:
        self._gaps: list[tuple[float, float]] = []  # (when, seconds), longest first

    @property
    def max_s(self) -> float:
        """0 before the first look."""
        return max((gap for _, gap in self._gaps), default=0.0)

    async def watch(self) -> None:
        """For as long as the process lives; more often while it is late."""
        loop = asyncio.get_running_loop()
        gap = 0.0
        while True:
            wait_s = LOOP_LOOK_S[gap < LOOP_LATE_S]
            due = loop.time() + wait_s
            await asyncio.sleep(wait_s)
            now = loop.time()
            gap = now - due
            self._gaps = [entry for entry in self._gaps if now - entry[0] < _WINDOW_S and entry[1] > gap]
            self._gaps.append((now, gap))
