"""Rows as PostgreSQL's `unnest` takes them. Pure."""

from collections.abc import Iterable
from typing import Any


def columns(rows: Iterable[tuple[Any, ...]], width: int = 0) -> tuple[list[Any], ...]:
    """One list per column; of no rows, `width` empty ones."""
    return tuple(list(column) for column in zip(*rows, strict=True)) or tuple([] for _ in range(width))
