"""The table of closes against the protocol's rule about coming back."""

from rt.wire.closes import Closing


def test_who_comes_back() -> None:
    for closing in Closing:
        if closing is not Closing.NORMAL:
            code = closing.code
            expected = code in (1001, 1006, 1011, 1012, 1013) or 4000 <= code <= 4499
            assert closing.may_return is expected, closing


def test_codes_are_unique_and_reasons_fit() -> None:
    assert len({closing.code for closing in Closing}) == len(Closing)
    assert all(len(closing.reason.encode()) <= 123 for closing in Closing)
