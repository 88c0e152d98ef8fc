"""Identifiers made in Python: UUIDv7 (RFC 9562, 5.7), which PostgreSQL 15 cannot make itself."""

import os
import time
from uuid import UUID


def uuid7(now_ms: int | None = None) -> UUID:
    """A UUID that sorts by its millisecond of creation; the other 74 bits are random. `now_ms` is for tests."""
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    noise = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | (noise >> 68) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    return UUID(int=value)
