"""What a user may do, as it is shown."""

from datetime import UTC, datetime

import pytest

from api.entitlements.rules import Entitlement, entitlement_of

END = datetime(2026, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reason", "unlimited", "shown"),
    [("TRIAL", True, "TRIAL"), ("SUBSCRIPTION", True, "SUBSCRIPTION"), (None, False, "CREDITS")],
)
def test_reasons(reason: str | None, unlimited: bool, shown: str) -> None:
    assert entitlement_of(reason, END, END, 75) == Entitlement(unlimited, shown, END, END, 75)


def test_an_unknown_reason_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="GIFT"):
        entitlement_of("GIFT", END, None, 75)
