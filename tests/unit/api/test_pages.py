"""Pages and cursors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.feed.rules import cursor_of, decode_position
from api.pages import decode_cursor, encode_cursor, make_page, page_size
from config.errors import BadInput
from rt.feed.positions import Position


@pytest.mark.parametrize(("first", "size"), [(None, 20), (1, 1), (100, 100)])
def test_sizes(first: int | None, size: int) -> None:
    assert page_size(first) == size


@pytest.mark.parametrize("first", [0, -1, 101])
def test_refuses_sizes(first: int) -> None:
    with pytest.raises(BadInput):
        page_size(first)


@given(st.lists(st.integers(), max_size=30), st.integers(1, 10))
def test_a_page_shows_its_size_and_knows_of_more(rows: list[int], size: int) -> None:
    page = make_page(rows[: size + 1], size, lambda row: (row,))
    assert [edge.node for edge in page.edges] == rows[:size]
    assert page.page_info.has_next_page == (len(rows) > size)
    assert page.page_info.end_cursor == (page.edges[-1].cursor if rows else None)


@given(st.lists(st.text("abcdef0123456789-:+", max_size=20), min_size=1, max_size=3))
def test_a_cursor_comes_back_as_its_parts(parts: list[str]) -> None:
    assert decode_cursor(encode_cursor(*parts), len(parts)) == parts


@given(st.text(max_size=300) | st.binary(max_size=50).map(lambda noise: encode_cursor(noise.hex())))
def test_anything_else_is_bad_input(noise: str) -> None:
    with pytest.raises(BadInput):
        decode_cursor(noise, 5)
    with pytest.raises(BadInput):
        decode_position(noise)


@given(st.text("abcDEF012-_", min_size=1, max_size=64), st.integers(0, 2**53 - 1))
def test_a_feed_cursor_is_epoch_and_offset(epoch: str, offset: int) -> None:
    position = Position(epoch, offset)
    assert decode_cursor(cursor_of(position), 1) == [f"{epoch}:{offset}"]
    assert decode_position(cursor_of(position)) == position
