"""What Linux does for a process that asks: prctl(2)."""

import ctypes
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_LIBC: Final = ctypes.CDLL(None, use_errno=True)  # resolved here: between fork and exec is no place to load a library


def die_with_parent(number: signal.Signals) -> None:
    """Has the kernel send this process `number` when the thread that started it ends, also by kill -9."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def adopt_orphans() -> None:
    """Has what our children leave behind become our own children."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
