"""When a run measured its own generator, and its figures say nothing of the server. Pure."""

from collections.abc import Mapping
from typing import Final

LATE_SHARE_MAX: Final = 0.01
LOOKS: Final = "generator: looks at the clock"
LATE: Final = "generator: late looks"
LOST: Final = "generator: workers lost"


def is_void(counted: Mapping[str, int]) -> bool:
    """Whether more than LATE_SHARE_MAX of the looks were late, or a worker was lost with what it knew."""
    return counted.get(LATE, 0) > LATE_SHARE_MAX * counted.get(LOOKS, 0) or counted.get(LOST, 0) > 0


def in_words(counted: Mapping[str, int], worst_ms: float) -> str:
    """One line for the end of a run."""
    late = f"late at {counted.get(LATE, 0):,} of {counted.get(LOOKS, 0):,} looks, {worst_ms:.0f} ms at worst"
    late += f", {lost} of its workers lost" if (lost := counted.get(LOST, 0)) else ""
    if is_void(counted):
        return f"VOID: this generator was {late}: it measured itself. Give it more cores (--processes) or fewer people"
    return f"This generator: {late}"
