"""How fast a client may speak, and how often it may be wrong. Pure.

A token bucket of MESSAGES_BURST that fills with MESSAGES_PER_S; errors in a window that slides.
"""

from collections import deque

from config.bucket import refilled
from config.limits import (
    ERROR_WINDOW_S,
    ERRORS_PER_WINDOW_MAX,
    MESSAGES_BURST,
    MESSAGES_PER_S,
    RATE_LIMITED_CLOSE_S,
    RATE_LIMITED_PAUSE_S,
)

__all__ = ["Allowance"]


class Allowance:
    """See the module. Times: steady clock. A session is one, and does not have one: an object less for each socket."""

    __slots__ = ("_errors", "_limited_at", "_limited_since", "_tokens", "_tokens_at")

    def __init__(self, now: float) -> None:
        self._tokens = float(MESSAGES_BURST)
        self._tokens_at = now
        self._limited_since = 0.0  # 0 = not limited
        self._limited_at = 0.0
        self._errors: deque[float] | None = None

    @property
    def is_over_rate(self) -> bool:
        """Whether the next message would be refused, but for the time that passes until then."""
        return self._tokens < 1.0

    def may_speak(self, now: float, price: float = 1.0) -> bool:
        """Whether it may say this, which then counts."""
        left = refilled(self._tokens, now - self._tokens_at, MESSAGES_PER_S, MESSAGES_BURST)
        self._tokens_at = now
        spoken = left >= price
        self._tokens = left - price if spoken else left
        return spoken

    def retry_after_ms(self) -> int:
        """When the next message is not refused."""
        return int((1.0 - self._tokens) / MESSAGES_PER_S * 1000) + 1

    def limited_too_long(self, now: float) -> bool:
        """It may not speak, and does; whether it has for RATE_LIMITED_CLOSE_S, without a pause."""
        if self._limited_since == 0.0 or now - self._limited_at > RATE_LIMITED_PAUSE_S:
            self._limited_since = now
        self._limited_at = now
        return now - self._limited_since >= RATE_LIMITED_CLOSE_S

    def wrong_too_often(self, now: float) -> bool:
        """It is wrong; whether that is more than ERRORS_PER_WINDOW_MAX times within ERROR_WINDOW_S."""
        if self._errors is None:
            self._errors = deque(maxlen=ERRORS_PER_WINDOW_MAX)
        errors = self._errors
        if len(errors) == ERRORS_PER_WINDOW_MAX and now - errors[0] < ERROR_WINDOW_S:
            return True
        errors.append(now)
        return False
