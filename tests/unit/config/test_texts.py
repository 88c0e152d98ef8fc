"""How bytes and instants are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import base64url
from config.times import iso_z


@given(st.binary(max_size=70))
def test_base64url_has_one_spelling(data: bytes) -> None:
    """Seen failing where the leftover bits of the last character were not looked at."""
    text = base64url.encode(data)
    assert base64url.decode(text) == data
    others = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for other in others if len(text) % 4 else "":
        if other != text[-1]:
            try:
                assert base64url.decode(text[:-1] + other) != data
            except ValueError:
                continue


@pytest.mark.parametrize("text", ["Zg==", "Zm8=", "Zm+v", "Zm/v", "Zm v", "Zm9v\n", "Zé", "\ud800", "Z", "Zh", "Zm9vZ"])
def test_what_is_no_base64url_is_refused(text: str) -> None:
    """Seen failing by base64.b64decode with its padding put back, which cursors were read by: `Zh` was `Zg` to it."""
    with pytest.raises(ValueError, match=r"."):
        base64url.decode(text)


def test_instants_are_told_in_utc() -> None:
    """Seen failing without astimezone: an offset was told as it came."""
    there = datetime(2026, 11, 20, 20, 5, 9, 250_000, tzinfo=timezone(timedelta(hours=2)))
    assert iso_z(there, "milliseconds") == "2026-11-20T18:05:09.250Z"
    assert iso_z(there) == "2026-11-20T18:05:09.250000Z"
    assert iso_z(datetime(2026, 11, 20, 18, tzinfo=UTC)) == "2026-11-20T18:00:00Z"
