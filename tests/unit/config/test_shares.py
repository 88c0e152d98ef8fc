"""No address takes more than its share, and nothing is remembered of who holds nothing."""

import pytest

from config.shares import Shares


def test_an_address_has_its_share_and_no_more() -> None:
    shares = Shares(3)
    assert [shares.take("a") for _ in range(4)] == [True, True, True, False]
    assert shares.take("b", 3)
    assert not shares.take("b")
    shares.give_back("a")
    assert shares.take("a")


def test_who_holds_nothing_is_forgotten() -> None:
    """Seen failing without `pop`: a million passers-by were a million entries."""
    shares = Shares(3)
    for number in range(100):
        assert shares.take(str(number))
        shares.give_back(str(number))
    assert not shares._held
    with pytest.raises(ValueError, match="given back"):
        shares.give_back("a")
