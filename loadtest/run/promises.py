"""What somebody promises of their deployment, as a file says it, and whether a run kept it. Pure.

[[promise]]
what = "an event is on its reader's screen soon"
of = "user: event"            # a name of Locust's statistics; absent = all requests together; or a count
measure = "p99_ms"            # a percentile, mean_ms, max_ms, requests, per_second, failures, failure_share; count
at_most = 500                 # and, or, at_least
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

MEASURES: Final = frozenset({"mean_ms", "max_ms", "requests", "per_second", "failures", "failure_share", "count"})
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d+)?)_ms")
_KEYS: Final = frozenset({"what", "of", "measure", "at_most", "at_least"})

Measure = Callable[[str, str], float | None]  # (of, measure) → the figure; None where there is none


class PromiseError(Exception):
    """The file cannot be read; one line for the person at the terminal."""


@dataclass(frozen=True)
class Promise:
    """One line of the file."""

    what: str
    of: str
    measure: str
    at_most: float | None
    at_least: float | None

    @property
    def bound(self) -> str:
        """In words."""
        words = [("at most", self.at_most), ("at least", self.at_least)]
        return " and ".join(f"{word} {bound:g}" for word, bound in words if bound is not None)


@dataclass(frozen=True)
class Verdict:
    """A promise and what became of it; a figure that nobody measured keeps no promise."""

    promise: Promise
    measured: float | None

    @property
    def kept(self) -> bool:
        """Whether the figure is there and within its bounds."""
        if self.measured is None:
            return False
        most, least = self.promise.at_most, self.promise.at_least
        return (most is None or self.measured <= most) and (least is None or self.measured >= least)

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Promise, bound, measured, verdict."""
        promise = self.promise
        figure = "not measured" if self.measured is None else f"{self.measured:,.3f}".rstrip("0").rstrip(".")
        return promise.what, f"{promise.measure} {promise.bound}", figure, "kept" if self.kept else "BROKEN"


def percentile_of(measure: str) -> float | None:
    """0.99 of "p99_ms"; None where it is no percentile."""
    match = _PERCENTILE.fullmatch(measure)
    return float(match[1]) / 100 if match else None


def read(text: str) -> list[Promise]:
    """The promises of a file. Raises PromiseError."""
    try:
        rows = tomllib.loads(text).get("promise", [])
    except tomllib.TOMLDecodeError as error:
        raise PromiseError(f"no TOML: {error}") from None
    if not isinstance(rows, list) or not rows:
        raise PromiseError("there is no [[promise]] in it")
    return [_promise(number, row) for number, row in enumerate(rows, 1)]


def judge(promises: Sequence[Promise], measure: Measure) -> list[Verdict]:
    """What became of each."""
    return [Verdict(promise, measure(promise.of, promise.measure)) for promise in promises]


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Columns under a head, for a terminal."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join([lines[0].rstrip(), "-" * len(lines[0]), *(line.rstrip() for line in lines[1:])])


def _promise(number: int, row: Any) -> Promise:
    if not isinstance(row, dict):
        raise PromiseError(f"promise {number} is no table")
    if unknown := sorted(row.keys() - _KEYS):
        raise PromiseError(f"promise {number} has an unknown {unknown[0]!r}")
    of, measure = row.get("of", ""), row.get("measure")
    if not isinstance(of, str) or not isinstance(row.get("what", ""), str):
        raise PromiseError(f"promise {number}: `what` and `of` are texts")
    if not isinstance(measure, str) or (measure not in MEASURES and percentile_of(measure) is None):
        raise PromiseError(
            f"promise {number}: `measure` is one of {', '.join(sorted(MEASURES))}, or p99_ms and the like"
        )
    bounds = {}
    for key in ("at_most", "at_least"):
        bound = row.get(key)
        if isinstance(bound, bool) or not isinstance(bound, (int, float, type(None))):
            raise PromiseError(f"promise {number}: `{key}` is a number")
        bounds[key] = None if bound is None else float(bound)
    if set(bounds.values()) == {None}:
        raise PromiseError(f"promise {number} says neither `at_most` nor `at_least`")
    return Promise(row.get("what") or f"{of} {measure}".strip(), of, measure, **bounds)
