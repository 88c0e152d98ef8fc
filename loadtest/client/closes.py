"""Which closes a client comes back from, and after how long (the wire protocol's last section). Pure."""

from typing import Final

BASE_S: Final = 1.0
CAP_S: Final = 30.0
NORMAL: Final = 1000
ABNORMAL: Final = 1006
TOKEN_EXPIRED: Final = 4001
TOO_SLOW: Final = 4002
_NEVER_AGAIN: Final = frozenset({NORMAL, 1002, 1003, 1007, 1009})


def may_return(code: int) -> bool:
    """Whether a client may come back after this close code."""
    return code not in _NEVER_AGAIN and not 4500 <= code <= 4999


def backoff_s(attempt: int, chance: float) -> float:
    """Seconds before attempt number `attempt` (0 = the first after a failure), full jitter; `chance` in [0, 1)."""
    return chance * min(CAP_S, BASE_S * 2.0 ** min(attempt, 16))
