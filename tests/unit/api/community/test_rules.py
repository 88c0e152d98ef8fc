"""Who may see what, in words of the contract."""

from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.community.rules import (
    Presence,
    Profile,
    Relation,
    Seen,
    check_outcome,
    check_search,
    place_in_people,
    place_in_search,
    presence_of,
    seen,
)
from api.pages import encode_cursor
from config.errors import ApiError, BadInput, Conflict, NotFound, Unauthenticated
from rt.presence.members import Here
from rt.wire.audience import AUDIENCES, Audience

NOW = datetime(2026, 11, 27, tzinfo=UTC)
RELATIONS: tuple[Relation, ...] = get_args(Relation)
NOTHING = Seen(header=False, details=False, feed=False, listed=False)


def profile(relation: Relation = "stranger", *, details: bool = True) -> Profile:
    return Profile(UUID(int=1), "Ann", 0, 1, 0, 0, 0, relation, False, details, False)


@given(st.sampled_from(RELATIONS), st.sampled_from(AUDIENCES))
def test_what_each_may_see(relation: Relation, audience: Audience) -> None:
    """Seen failing with a feed for strangers of audience EVERYONE, and with a header for those who were blocked."""
    may = seen(relation, audience)
    if relation == "self":
        assert may[:3] == (True, True, True)
    elif relation == "blocked" or audience == "nobody":
        assert may == NOTHING
    else:
        assert may.feed == (relation == "following")
        assert may.header == (audience == "everyone" or relation != "anonymous")
    assert may.listed == (audience == "everyone" and relation != "blocked")
    assert may.header or not (may.details or may.feed or may.listed)
    assert may.details or not may.feed


@given(st.sampled_from(RELATIONS))
def test_a_stricter_audience_shows_no_more(relation: Relation) -> None:
    shown = [sum(seen(relation, audience)) for audience in AUDIENCES]
    assert shown == sorted(shown, reverse=True)


def test_a_device_that_hides_its_user_hides_them_from_whom_it_says() -> None:
    """Seen failing with the setting alone."""
    online = Presence("ONLINE", NOW)
    offline = Presence("OFFLINE", None)
    assert presence_of(profile("stranger"), Here(False, "everyone"), NOW) == online
    assert presence_of(profile("stranger"), Here(False, "followers"), NOW) == offline
    assert presence_of(profile("following"), Here(True, "followers"), NOW) == Presence("TRAINING", NOW)
    assert presence_of(profile("following"), Here(True, "nobody"), NOW) == offline
    assert presence_of(profile("self"), Here(False, "nobody"), NOW) == online
    assert presence_of(profile("following"), None, NOW) == offline


def test_states() -> None:
    states = {relation: profile(relation).follow_state for relation in RELATIONS}
    assert states == {
        "anonymous": "NONE", "self": "SELF", "blocked": "NONE", "following": "FOLLOWING", "requested": "REQUESTED",
        "stranger": "NONE",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "error"), [("hidden", NotFound), ("self", Conflict), ("full", Conflict), ("gone", Unauthenticated)]
)
def test_what_was_not_done(outcome: str, error: type[ApiError]) -> None:
    with pytest.raises(error):
        check_outcome(outcome)
    check_outcome("done")
    check_outcome("same")


@given(st.text(max_size=120))
def test_anything_may_be_searched_for_or_given_as_a_cursor(text: str) -> None:
    for check in (check_search, place_in_people, place_in_search):
        try:
            check(text)
        except BadInput:
            continue


@pytest.mark.parametrize("text", ["", "   ", "x" * 81, "a\0b", "\ud800"])
def test_what_is_no_search(text: str) -> None:
    with pytest.raises(BadInput):
        check_search(text)


def test_cursors() -> None:
    """Seen failing with a time without a zone, which PostgreSQL would have taken for one of its own."""
    one = UUID(int=7)
    assert place_in_people(encode_cursor(NOW.isoformat(), one)) == (NOW, one)
    assert place_in_search(encode_cursor(one, "ann lee")) == ("ann lee", one)
    for cursor in (encode_cursor("2026-11-27", one), encode_cursor(NOW.isoformat(), "x"), encode_cursor(one), "%"):
        with pytest.raises(BadInput):
            place_in_people(cursor)
    for cursor in (encode_cursor("x", "ann"), encode_cursor(one, "a\0b"), encode_cursor(one, "a", "b")):
        with pytest.raises(BadInput):
            place_in_search(cursor)
