"""What a channel token says, and of which channels there are any."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.channels.rules import owners_of, times_of
from config.errors import BadInput, RateLimited
from config.limits import CHANNEL_TOKEN_S_MAX, CHANNEL_TOKENS_MAX, CLOCK_LEEWAY_S

ANN = UUID("0199a1c2-7d00-7000-8000-00000000abcd")


def test_profiles_alone_in_the_one_spelling_of_an_id() -> None:
    """Seen failing with UUID() alone: an upper-case id would have been another channel of the same person."""
    others = ["community", f"user:{ANN}", "app:poll:votes", "profile:", "profile:x", f"profile:{str(ANN).upper()}", ""]
    assert owners_of([*others, f"profile:{ANN}", f"profile:{ANN}"]) == {ANN: f"profile:{ANN}"}
    assert owners_of([f"profile:{str(ANN).upper()}"]) == {}
    assert owners_of(["profile:x"] * CHANNEL_TOKENS_MAX) == {}
    with pytest.raises(BadInput):
        owners_of(["profile:x"] * (CHANNEL_TOKENS_MAX + 1))


@given(st.floats(1.7e9, 1.9e9), st.integers(-2_000, 2_000))
def test_a_new_token_is_issued_behind_those_that_are_void(now: float, ahead: int) -> None:
    """Seen failing with the time of day alone: who followed again would have been refused for two minutes."""
    void_before = int(now) + ahead
    try:
        times = times_of(now, void_before)
    except RateLimited:
        assert ahead > CLOCK_LEEWAY_S / 2
        return
    assert times.issued_at > void_before
    assert times.issued_at <= now + CLOCK_LEEWAY_S
    assert times.issued_at < times.expires_at <= now + CHANNEL_TOKEN_S_MAX
    assert times.expires_at - times.issued_at <= CHANNEL_TOKEN_S_MAX
