"""The clock by which a process measures others: the time in which it ran itself.

While a process is stopped, its machine paused or its loop held up, nobody is heard, and the kernel keeps what they say.
Their deadlines must not pass meanwhile. What others agree on (tokens, leases) is judged by clocks that never stop.
"""

import time
from collections.abc import Callable

from config.limits import PAUSE_S


class AwakeClock:
    """Steady seconds. Whoever owns it calls `tick` every `tick_s`; one that is later by more than PAUSE_S stops it."""

    __slots__ = ("_monotonic", "_ran", "_seen", "_step_max")

    def __init__(self, tick_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` (seconds) is for tests."""
        self._monotonic = monotonic
        self._step_max = tick_s + PAUSE_S
        self._ran = self._seen = monotonic()

    def now(self) -> float:
        """As of the last tick and what has passed since, at most one late tick: also before a pause is noticed."""
        return self._ran + min(self._monotonic() - self._seen, self._step_max)

    def tick(self) -> bool:
        """Goes on. Whether there was a pause since the last tick."""
        seen = self._monotonic()
        step = seen - self._seen
        self._ran += min(step, self._step_max)
        self._seen = seen
        return step > self._step_max
