"""Decisions of presence: who is where, and for how long. Pure.

Cells are H3 indexes of resolution 7 (about 5 km²) as lower-case hexadecimal strings; coordinates are degrees.
"""

from typing import Literal
from zlib import crc32

from h3.api import basic_str as h3

from config.limits import (
    PRESENCE_CLOCK_JUMP_S,
    PRESENCE_SPEED_MPS_MAX,
    PRESENCE_SPEED_SLACK_M,
)

Status = Literal["online", "training"]


def partition_of(user_id: str, partitions: int) -> int:
    """The partition that holds every connection of this user; the same on every machine."""
    return crc32(user_id.encode()) % partitions


def too_fast(before: str, after: str, seconds: float) -> bool:
    """Whether nobody travels between these cells in that time: such a person does not count in the slow bands."""
    metres: float = h3.great_circle_distance(h3.cell_to_latlng(before), h3.cell_to_latlng(after), unit="m")
    return metres > PRESENCE_SPEED_SLACK_M + PRESENCE_SPEED_MPS_MAX * max(seconds, 0.0)


class ClockGuard:
    """Notices another Redis or a Redis clock that jumped: from then on scores are not believed for a while."""

    __slots__ = ("_offset_ms", "_run_id")

    def __init__(self, run_id: str | None = None) -> None:
        self._run_id = run_id
        self._offset_ms: int | None = None

    def changed(self, run_id: str, redis_ms: int, own_ms: int) -> bool:
        """Whether this is another server than at the last call, or its clock left ours (monotonic) by a jump."""
        offset_ms = redis_ms - own_ms
        jumped = self._offset_ms is not None and abs(offset_ms - self._offset_ms) > PRESENCE_CLOCK_JUMP_S * 1_000
        other = self._run_id is not None and self._run_id != run_id
        self._run_id, self._offset_ms = run_id, offset_ms
        return jumped or other
