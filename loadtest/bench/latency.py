"""Latency against load: p50 and p99 of this gateway, Bun and Centrifugo where 1,000 clients take 10 to 95 % of a core.

How much of its core a server takes at a rate is only known by trying: each share is approached by what was seen at
the rates before. A server that writes less often while it is busy may not take 95 % at any rate that the crowd can
read; the row then says what it took.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from config.redis import connect
from loadtest.bench import fanout, host, peers
from loadtest.bench.fanout import Load, Server
from loadtest.bench.identity import Identity

CLIENTS: Final = 1_000
SHARES: Final = (0.10, 0.50, 0.80, 0.95)
RUN_S: Final = 6.0
NEAR: Final = 0.04  # is the share that was wanted
TRIES: Final = 4  # for each share
LATE_S: Final = 2.0  # after the last event was due all have it, the publisher's start included, or it did not keep up
RATE_FIRST: Final = 20.0
RATE_MAX: Final = 3_000.0  # events a second: above it the crowd, on one core with the publisher, reads too slowly
STEPS: Final = (1.05, 3.0)  # beyond what was seen: at least and at most so many times the highest rate

Seen = tuple[float, float]  # rate (1/s), share of the core that was taken


def next_rate(seen: Sequence[Seen], wanted: float) -> float:
    """The rate to try next for a share: on the straight line between what was seen on both sides of it.

    Beyond what was seen it is on the line through the last two, within STEPS. Pure.
    """
    if not seen:
        return RATE_FIRST
    points = [(0.0, 0.0), *sorted(seen)]
    (rate, share), above = points[-1], next((n for n, point in enumerate(points) if point[1] >= wanted), None)
    if above is None:
        before_rate, before = points[-2]
        slope = (share - before) / (rate - before_rate) if rate > before_rate else 0.0
        far = rate + (wanted - share) / slope if slope > 0 else rate * STEPS[1]
        return min(max(far, rate * STEPS[0]), rate * STEPS[1], RATE_MAX)
    (low_rate, low), (high_rate, high) = points[above - 1], points[above]
    return low_rate + (high_rate - low_rate) * (wanted - low) / (high - low)


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each server and share; `environment` names REDIS_URL."""
    redis_url = environment["REDIS_URL"]
    found = [make(redis_url) for make in (peers.bun, peers.centrifugo)]
    servers = [fanout.gateway(Identity(), CLIENTS), *(server for server in found if server is not None)]
    rows: list[dict[str, Any]] = []
    async with connect(redis_url) as redis:
        with host.moved((0, await host.redis_pid(redis)), host.CROWD_CORE):
            for server in servers:
                rows += await _climb(server, redis_url)
    return rows


async def _climb(server: Server, redis_url: str) -> list[dict[str, Any]]:
    """For each share the row that came nearest to it."""
    seen: list[Seen] = []
    rows: list[dict[str, Any]] = []
    chosen = []
    for wanted in SHARES:
        for _ in range(TRIES):
            rate = next_rate(seen, wanted)
            if seen and rate == seen[-1][0]:
                break  # there is no more to try
            row = await _at(server, rate, redis_url)
            rows.append(row)
            seen.append((rate, row["core_pct"] / 100))
            if abs(seen[-1][1] - wanted) <= NEAR:
                break
        chosen.append({"wanted_pct": round(wanted * 100), **nearest(rows, wanted)})
    return chosen


def nearest(rows: Sequence[dict[str, Any]], wanted: float) -> dict[str, Any]:
    """The row whose share of the core is nearest, of those that kept up if there are any. Pure."""
    kept_up = [row for row in rows if row["kept_up"]]
    return min(kept_up or rows, key=lambda row: abs(row["core_pct"] / 100 - wanted))


async def _at(server: Server, rate: float, redis_url: str) -> dict[str, Any]:
    print(f"latency: {server.name}, {rate:.1f} events/s", file=sys.stderr)
    load = Load(CLIENTS, max(60, round(rate * RUN_S)), rate)
    row = await fanout.run(server, load, redis_url)
    kept_up = row["complete"] and row["took_s"] <= load.events / rate + LATE_S
    kept = ("server", "events_per_s", "core_pct", "cpu_us_per_delivery", "p50_ms", "p99_ms")
    return {**{name: row[name] for name in kept}, "events_per_s": round(rate, 1), "kept_up": kept_up}


def series(rows: Sequence[Mapping[str, Any]], figure: str) -> dict[str, list[tuple[float, float]]]:
    """The points of each server, for the picture: percent of the core, and the figure. Pure."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        lines.setdefault(row["server"], []).append((row["core_pct"], row[figure]))
    return {server: sorted(set(points)) for server, points in lines.items()}
