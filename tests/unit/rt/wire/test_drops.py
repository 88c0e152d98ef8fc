"""What is no longer true of kept answers, on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import SCHEMA
from rt.wire.drops import COMMUNITY_PAGES, EVERYTHING, LEADERBOARDS, NAMES_MAX, NOTHING, Drop, decode_drop, encode_drop

DROPS = st.builds(Drop, st.frozensets(st.text(max_size=8)), st.frozensets(st.text(max_size=8)), st.booleans())


@given(DROPS)
def test_there_and_back(drop: Drop) -> None:
    assert decode_drop(encode_drop(drop)) == drop


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b'{"types": 1}', b'{"all": "yes"}', b"1 2\n"])
def test_what_is_none_of_ours_is_passed_over(payload: bytes) -> None:
    assert decode_drop(payload) is None


@given(DROPS, DROPS)
def test_two_are_what_both_end(one: Drop, other: Drop) -> None:
    both = one | other
    assert both == (EVERYTHING if one.all or other.all else Drop(one.types | other.types, one.users | other.users))
    assert one | NOTHING == (EVERYTHING if one.all else one)


def test_too_many_names_are_everything() -> None:
    """Seen failing without the bound: what waits for a Redis that is away grew with each user."""
    many = Drop(users=frozenset(map(str, range(NAMES_MAX))))
    assert not many.all
    assert many | Drop(users=frozenset({"one more"})) == EVERYTHING


def test_the_words_are_types_of_the_schema() -> None:
    assert {COMMUNITY_PAGES, LEADERBOARDS} <= SCHEMA.type_map.keys()
