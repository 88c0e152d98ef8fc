"""What decides whether a workout costs something. Pure.

A subscription or the trial gives unlimited use; otherwise the credits decide. The decision itself falls inside the
transaction that logs the workout, by the SQL function `unlimited_reason`; what is said here beside it is for display.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import msgspec

PAST_DUE_GRACE: Final = timedelta(days=7)  # from the end of what was paid, while the provider tries the card again


class Reason(Enum):
    """Why a user may log workouts; CREDITS where each costs some."""

    SUBSCRIPTION = "SUBSCRIPTION"
    TRIAL = "TRIAL"
    CREDITS = "CREDITS"


class Entitlement(msgspec.Struct, frozen=True):
    """What a user may do now. `reason` is the name of a Reason."""

    unlimited: bool
    reason: str
    trial_ends_at: datetime | None
    subscribed_until: datetime | None
    credits: int


def entitlement_of(
    unlimited_reason: str | None,
    trial_ends_at: datetime | None,
    subscribed_until: datetime | None,
    credit_count: int,
) -> Entitlement:
    """The values from what the database says. Raises ValueError for a reason that nobody knows."""
    reason = Reason.CREDITS if unlimited_reason is None else Reason(unlimited_reason)
    return Entitlement(reason is not Reason.CREDITS, reason.value, trial_ends_at, subscribed_until, credit_count)


def standing(
    status: str, *, period_start: datetime | None, period_end: datetime | None, ended_at: datetime
) -> tuple[datetime | None, bool]:
    """Until when a subscription entitles by its status, None = not at all, and whether a paid invoice that reaches
    further counts instead.

    - `active`, `trialing`: to the end of the period.
    - `past_due` (the period has begun and its payment failed, the provider tries again): PAST_DUE_GRACE of it.
    - `unpaid` (it has given up): what was paid, which is to the beginning of the period.
    - `canceled`: to its end, which the provider sets at once or at the end of the period.
    - `incomplete`, `incomplete_expired` (the first payment never came), `paused` (a trial ended without a card), and
      whatever there may be one day: not at all.
    """
    match status:
        case "active" | "trialing":
            return period_end, True
        case "past_due":
            return _earlier(period_start and period_start + PAST_DUE_GRACE, period_end), True
        case "unpaid":
            return period_start, False
        case "canceled":
            return ended_at, False
    return None, False


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
