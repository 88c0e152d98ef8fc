"""How late this generator is itself. A run whose generator was late measured the generator, and is void."""

import time
from typing import Final

import gevent

from loadtest.run.counts import at_worst, counted
from loadtest.run.void import LATE, LOOKS

EVERY_S: Final = 0.05
WORST_MS: Final = "generator: latest look, ms"


def watch(bound_s: float) -> None:
    """Sleeps EVERY_S again and again, and counts how often it is woken more than `bound_s` late. Never returns."""
    while True:
        due = time.perf_counter() + EVERY_S
        gevent.sleep(EVERY_S)
        late_s = time.perf_counter() - due
        counted[LOOKS] += 1
        counted[LATE] += late_s > bound_s
        at_worst(WORST_MS, late_s * 1000)
