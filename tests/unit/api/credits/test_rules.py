"""Amounts are whole numbers."""

import pytest

from api.credits.rules import CREDITS_MAX, check_amount


@pytest.mark.parametrize("amount", [0, 1, CREDITS_MAX])
def test_accepts(amount: int) -> None:
    assert check_amount(amount) == amount


@pytest.mark.parametrize("amount", [-1, CREDITS_MAX + 1, 0.1, float("nan"), True, "1e3", None])
def test_refuses(amount: object) -> None:
    with pytest.raises(ValueError, match="whole number"):
        check_amount(amount)  # type: ignore[arg-type]
