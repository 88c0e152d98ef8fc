"""The tier of a token: one rule for sign-in and refresh."""

from datetime import UTC, datetime, timedelta

import pytest

from api.accounts.rules import User, tier_at
from config.ids import uuid7

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "until", "tier"),
    [
        ("free", None, "free"),
        ("free", NOW + timedelta(seconds=1), "premium"),
        ("free", NOW, "free"),
        ("premium", None, "premium"),
        ("premium", NOW, "premium"),
    ],
)
def test_while_subscribed_it_is_premium(given: str, until: datetime | None, tier: str) -> None:
    user = User(uuid7(), uuid7(), "a@example.org", "Ann", ("user",), given, "everyone", NOW, subscribed_until=until)
    assert tier_at(user, NOW) == tier
