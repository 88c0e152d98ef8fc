"""What traces cost: CPU of the way of one statement in a transaction, without them, and with all of them sampled.

What is measured is what `config.tracing` adds there: the questions where traces are off, the spans where they are on.
The work beside it is empty, so that nothing of PostgreSQL or a neighbour is in the figures.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from config.settings import Settings
from config.tracing import traces

TIMES: Final = 20_000
ROUNDS: Final = 5
_NOWHERE: Final = "http://127.0.0.1:9"  # nobody takes the spans: the queue stays full, as it may


async def run(_environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row each: nothing, off, and on."""
    rows = [{"traces": "none", "us": _us(_nothing)}, {"traces": "off", "us": _us(_statement)}]
    traces.start("bench", Settings(otel_exporter_otlp_endpoint=_NOWHERE, otel_traces_sampler_arg=1))
    span = traces.begin("bench", "")
    with span.current():
        rows.append({"traces": "sampled", "us": _us(_statement, TIMES // 20)})
    span.end()
    traces.stop()
    return rows


def _nothing() -> None:
    """What the measure itself takes."""


def _statement() -> None:
    """The questions of a BEGIN and of one statement, as config/db/database.py asks them."""
    if traces.here:
        str(traces.here)
    if traces.here:
        traces.past("bench", 0.001)


def _us(work: Callable[[], None], times: int = TIMES) -> float:
    """CPU of one call, of the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(times):
            work()
        best = min(best, time.thread_time() - began)
    return round(best / times * 1e6, 3)
