"""The gateways, and what runs beside them, as lines of a terminal. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from rt.operators.ask import Look
from rt.operators.beside import Beside
from rt.wire.inquiry import Answer, Hot

__all__ = ["screen"]

_HEAD: Final = ("process", "sockets", "users", "channels", "in/s", "out/s", "slow", "waits", "late ms", "MB", "state")
_BESIDE: Final = ("beside", "requests/s", "CPU %", "database waits", "relay late s", "not numbered", "MB", "state")
_GAUGES: Final = ("pg_pool_waiting_clients", "relay_lag_seconds", "relay_outbox_depth")
_HOT: Final = ("channel", "out/s", "events/s", "readers", "newest")
_WAITS: Final = ("rt_joins_waiting", "rt_admission_waiting")
_RATES: Final = ("rt_messages_total", "rt_deliveries_total")


def screen(
    look: Look,
    before: Look | None,
    columns: int,
    rows: int,
    beside: Sequence[Beside] = (),
    beside_before: Sequence[Beside] = (),
) -> list[str]:
    """What is shown of `look`, at most so many rows of so many columns. Rates are those since `before`."""
    known = {} if before is None else {one.gateway: one for one in before.answers}
    passed_s = 0.0 if before is None else look.at - before.at
    some = sorted(look.answers, key=lambda one: one.gateway)
    table = [_process(one, known.get(one.gateway), passed_s) for one in some]
    ended = Counter[str]()
    for one in some:
        ended.update(one.closes)
    lines = [
        f"MuscleMap Live: {len(some)} of {look.asked} gateway processes answer",
        "",
        *_columns([_HEAD, *table, *([_all(some, table)] if len(table) > 1 else [])], words=(0, len(_HEAD) - 1)),
        "",
        *_besides(beside, {one.role: one for one in beside_before}),
        *_columns([_HOT, *_hot(hot for one in some for hot in one.channels)]),
        "",
        "ended in 15 minutes: " + (", ".join(f"{why} {count}" for why, count in ended.most_common()) or "none"),
    ]
    return [line[:columns].rstrip() for line in lines[:rows]]


def _process(one: Answer, before: Answer | None, passed_s: float) -> list[str]:
    figures = one.figures
    incoming, outgoing = (_rate(name, figures, before, passed_s) for name in _RATES)
    return [
        f"{one.gateway.rpartition('-')[0] or one.gateway}",
        *(str(figures.get(name, 0)) for name in ("rt_connections", "rt_users", "rt_channels")),
        *(incoming, outgoing, str(figures.get("rt_slow", 0)), str(sum(figures.get(name, 0) for name in _WAITS))),
        str(figures.get("rt_loop_gap_max_ms", 0)),
        str(figures.get("process_resident_memory_bytes", 0) // 1_000_000),
        ", ".join(f"{name} {word}" for name, word in one.condition.items()) or "well",
    ]


def _besides(some: Sequence[Beside], before: Mapping[str, Beside]) -> list[str]:
    if not some:
        return []
    rows = [_beside(one, before.get(one.role)) for one in some]
    return [*_columns([_BESIDE, *rows], words=(0, len(_BESIDE) - 1)), ""]


def _beside(one: Beside, before: Beside | None) -> list[str]:
    """What it does not have is a dash."""
    figures = one.figures

    def rate(name: str, times: int = 1) -> str:
        if before is None or one.at <= before.at or name not in figures or name not in before.figures:
            return "-"
        return f"{max(0.0, figures[name] - before.figures[name]) * times / (one.at - before.at):.0f}"

    return [
        one.role,
        rate("http_requests_total"),
        rate("process_cpu_seconds_total", 100),
        *(f"{figures[name]:.3g}" if name in figures else "-" for name in _GAUGES),
        f"{figures['process_resident_memory_bytes'] / 1e6:.0f}" if "process_resident_memory_bytes" in figures else "-",
        one.state or "well",
    ]


def _rate(name: str, figures: Mapping[str, int], before: Answer | None, passed_s: float) -> str:
    if before is None or passed_s <= 0:
        return "-"
    return f"{max(0, figures.get(name, 0) - before.figures.get(name, 0)) / passed_s:.0f}"


def _all(some: Sequence[Answer], table: Sequence[Sequence[str]]) -> list[str]:
    """The row of all together."""
    late = max(one.figures.get("rt_loop_gap_max_ms", 0) for one in some)
    sums = [
        "-" if any(row[n] == "-" for row in table) else str(sum(int(row[n]) for row in table))
        for n in range(1, len(_HEAD) - 1)
    ]
    sums[_HEAD.index("late ms") - 1] = str(late)
    return ["all", *sums, ""]


def _hot(told: Iterable[Hot]) -> list[list[str]]:
    """A channel of several processes once: its stream is the same, its readers add up."""
    by_name: dict[str, list[Hot]] = {}
    for one in told:
        by_name.setdefault(one.channel, []).append(one)
    rows = [
        (sum(one.events_per_s * one.readers for one in some), sum(one.readers for one in some), name, some)
        for name, some in by_name.items()
    ]
    return [
        [
            name,
            f"{out:.0f}",
            f"{max(one.events_per_s for one in some):.1f}",
            str(readers),
            str(max(one.offset for one in some)),
        ]
        for out, readers, name, some in sorted(rows, key=lambda row: (-row[0], -row[1], row[2]))
    ]


def _columns(rows: Sequence[Sequence[str]], words: Collection[int] = (0,)) -> list[str]:
    """Those of words to the left, numbers to the right."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  ".join(
            text.ljust(width) if n in words else text.rjust(width)
            for n, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
