"""How late this generator is itself. A run whose generator was late measured the generator, and is void."""

import time
from typing import Final

import gevent

from loadtest.run.counts import at_worst, counted

EVERY_S: Final = 0.05
LATE_SHARE_MAX: Final = 0.01
TICKS: Final = "generator: looks at the clock"
LATE: Final = "generator: late looks"
WORST_MS: Final = "generator: latest look, ms"


def watch(bound_s: float) -> None:
    """Sleeps EVERY_S again and again, and counts how often it is woken more than `bound_s` late. Never returns."""
    while True:
        due = time.perf_counter() + EVERY_S
        gevent.sleep(EVERY_S)
        late_s = time.perf_counter() - due
        counted[TICKS] += 1
        counted[LATE] += late_s > bound_s
        at_worst(WORST_MS, late_s * 1000)


def is_void() -> bool:
    """Whether more than LATE_SHARE_MAX of the looks were late."""
    return counted[LATE] > LATE_SHARE_MAX * max(1, counted[TICKS])
