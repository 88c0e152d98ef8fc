"""How wrong presence is, in the exposition format: what the one keeper knows, told by whichever gateway is asked. Pure.

A ghost is somebody who is gone and still shown. What the server can know of it: how late the reaper takes a member
whose time has passed, and how long ago a gateway that was given up had spoken last. What it cannot know, when a cable
was cut, the benchmark measures (loadtest/bench/presence.py).
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS_S: Final = (0.5, 1.0, 2.0, 5.0, 8.0, 10.0, 15.0, 30.0, 60.0, 120.0)
REAP_LATE: Final = "reap_late"
GHOST: Final = "ghost"
_HISTOGRAMS: Final = {
    REAP_LATE: ("presence_reap_late_seconds", "From the end of a member's time to its removal"),
    GHOST: ("presence_ghost_seconds", "From the last word of a lost gateway to the removal of its members"),
}
_GAUGE: Final = GaugeMetricFamily
_COUNTER: Final = CounterMetricFamily
# name -> (key in the keeper's figures, family, help)
_FIGURES: Final[dict[str, tuple[str, Any, str]]] = {
    "presence_people_online": ("online", _GAUGE, "Distinct people online who let everybody know"),
    "presence_people_training": ("training", _GAUGE, "Those of them who train"),
    "presence_reaped_total": ("reaped", _COUNTER, "Members whose time had passed"),
    "presence_swept_total": ("swept", _COUNTER, "Members of gateways that were given up"),
    "presence_recounts_total": (
        "recounts",
        CounterMetricFamily,
        "Partitions whose counts were compared with a recount",
    ),
    "presence_recount_difference": (
        "recount_difference",
        GaugeMetricFamily,
        "Entries that recounts found wrong, and repaired",
    ),
    "presence_map_tick_ms": ("map_tick_ms", _GAUGE, "Time of the rule for the last tick of the map"),
    "presence_cells": ("cells", _GAUGE, "Cells in all partitions when the map was last loaded"),
}


def observe(stats: dict[str, float], histogram: str, seconds: float, count: int) -> None:
    """Adds `count` observations of `seconds`."""
    key = f"{histogram}_{bisect_left(BOUNDS_S, seconds)}"
    stats[key] = stats.get(key, 0) + count
    stats[f"{histogram}_sum"] = stats.get(f"{histogram}_sum", 0) + seconds * count


class _Keeper(Collector):
    """What the keeper counted, as prometheus-client wants it."""

    def __init__(self, stats: Mapping[str, float]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Nothing while no keeper's figures are known."""
        stats = self._stats
        for name, (key, family, text) in _FIGURES.items() if stats else ():
            yield family(name, text, value=stats.get(key, 0))
        for histogram, (name, text) in _HISTOGRAMS.items() if stats else ():
            counts = [stats.get(f"{histogram}_{number}", 0) for number in range(len(BOUNDS_S) + 1)]
            bounds = [*map(str, BOUNDS_S), "+Inf"]
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            yield HistogramMetricFamily(name, text, buckets=buckets, sum_value=stats.get(f"{histogram}_sum", 0))


def exposition(stats: Mapping[str, float]) -> bytes:
    """Lines for /metrics; none while no keeper's figures are known."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Keeper(stats))
    return generate_latest(registry)
