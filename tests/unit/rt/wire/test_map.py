"""The map on the bus: what is written is read again, rubbish is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rt.wire.map import cells_of, change, decode, encode

_cells = st.lists(st.tuples(st.sampled_from(["871f1d489ffffff", "871f1d48dffffff"]), st.integers(0, 10**6)), max_size=3)
_changes = st.builds(
    change, st.integers(2, 7), st.just("841f1d5ffffffff"), st.integers(0, 2**40), st.booleans(), _cells
)


@given(st.lists(_changes, min_size=1, max_size=4))
def test_what_is_written_is_read_again(changes: list[object]) -> None:
    assert decode(encode(changes)) == changes  # type: ignore[arg-type]


@given(_cells)
def test_the_cells_are_in_the_message(cells: list[tuple[str, int]]) -> None:
    text = change(7, "841f1d5ffffffff", 1, False, cells).text
    assert [tuple(cell) for cell in cells_of(text)] == cells


@pytest.mark.parametrize("payload", [b"", b"[]", b"7 x", b"a b c d e", b"7 \xff 1 1 {}"])
def test_rubbish_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode(payload)
