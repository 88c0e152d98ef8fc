"""How wrong presence is, in the exposition format: what the one keeper knows, told by whichever gateway is asked. Pure.

A ghost is somebody who is gone and still shown. What the server can know of it: how late the reaper takes a member
whose time has passed, and how long ago a gateway that was given up had spoken last. What it cannot know, when a cable
was cut, the benchmark measures (loadtest/bench/presence.py).
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Final

BOUNDS_S: Final = (0.5, 1.0, 2.0, 5.0, 8.0, 10.0, 15.0, 30.0, 60.0, 120.0)
REAP_LATE: Final = "reap_late"
GHOST: Final = "ghost"
_HISTOGRAMS: Final = {
    REAP_LATE: ("presence_reap_late_seconds", "From the end of a member's time to its removal"),
    GHOST: ("presence_ghost_seconds", "From the last word of a lost gateway to the removal of its members"),
}
# name -> (key in the keeper's figures, kind, help)
_FIGURES: Final = {
    "presence_people_online": ("online", "gauge", "Distinct people online who let everybody know"),
    "presence_people_training": ("training", "gauge", "Those of them who train"),
    "presence_reaped_total": ("reaped", "counter", "Members whose time had passed"),
    "presence_swept_total": ("swept", "counter", "Members of gateways that were given up"),
    "presence_recounts_total": ("recounts", "counter", "Partitions whose counts were compared with a recount"),
    "presence_recount_difference": ("recount_difference", "gauge", "Entries that recounts found wrong, and repaired"),
    "presence_map_tick_ms": ("map_tick_ms", "gauge", "Time of the rule for the last tick of the map"),
    "presence_cells": ("cells", "gauge", "Cells in all partitions when the map was last loaded"),
}


def observe(stats: dict[str, float], histogram: str, seconds: float, count: int) -> None:
    """Adds `count` observations of `seconds`."""
    key = f"{histogram}_{bisect_left(BOUNDS_S, seconds)}"
    stats[key] = stats.get(key, 0) + count
    stats[f"{histogram}_sum"] = stats.get(f"{histogram}_sum", 0) + seconds * count


def exposition(stats: Mapping[str, float]) -> bytes:
    """Lines for /metrics; none while no keeper's figures are known."""
    lines: list[str] = []
    for name, (key, kind, text) in _FIGURES.items() if stats else ():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", f"{name} {stats.get(key, 0):g}"]
    for histogram, (name, text) in _HISTOGRAMS.items() if stats else ():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} histogram"]
        total = 0.0
        for number, bound in enumerate((*map(str, BOUNDS_S), "+Inf")):
            total += stats.get(f"{histogram}_{number}", 0)
            lines.append(f'{name}_bucket{{le="{bound}"}} {total:.0f}')
        lines += [f"{name}_sum {stats.get(f'{histogram}_sum', 0):.3f}", f"{name}_count {total:.0f}"]
    return "".join(f"{line}\n" for line in lines).encode()
