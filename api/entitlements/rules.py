"""What decides whether a workout costs something. Pure.

A subscription or the trial gives unlimited use; otherwise the credits decide. The decision itself falls inside the
transaction that logs the workout, by the SQL function `unlimited_reason`; what is said here beside it is for display.
"""

from datetime import datetime
from enum import Enum

import msgspec


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
    credits: int


def entitlement_of(unlimited_reason: str | None, trial_ends_at: datetime | None, credit_count: int) -> Entitlement:
    """The values from what the database says. Raises ValueError for a reason that nobody knows."""
    reason = Reason.CREDITS if unlimited_reason is None else Reason(unlimited_reason)
    return Entitlement(reason is not Reason.CREDITS, reason.value, trial_ends_at, credit_count)
