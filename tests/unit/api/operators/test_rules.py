"""Why somebody did not get an event, for each thing that can stop it."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.operators.rules import Told, Waiting, as_published, asked_of, reasons, totals
from config.errors import BadInput
from config.ids import uuid7
from rt.feed.positions import Position
from rt.wire.inquiry import Answer, Ended, Hot, Place, Seat, Slow

AT = datetime(2026, 1, 1, tzinfo=UTC)
NONE_WAIT = Waiting(False, 0, 0.0)


def told(**changes: Any) -> Told:
    values: dict[str, Any] = {
        "channel": "community",
        "offset": 10,
        "at": AT,
        "type": "level_up",
        "published": True,
        "may_read": True,
    }
    return Told(**values | changes)


def seat(**changes: Any) -> Seat:
    values: dict[str, Any] = {
        "session": "s",
        "protocol": "websocket",
        "silent_s": 1.0,
        "unread": 0,
        "place": Place("community", 10),
    }
    live: dict[str, Any] = {"state": "live", "joined": 3, "head": 12, "written": True, "digested": False}
    return Seat(**values | live | changes)


def answer(**changes: Any) -> Answer:
    values: dict[str, Any] = {"gateway": "g", "pid": 1, "condition": {}, "figures": {}, "channels": [], "slow": []}
    return Answer(**values | {"closes": {}, "seats": [], "ended": []} | changes)


@pytest.mark.parametrize(
    ("code", "place", "found"),
    [
        ("SENT", {}, {"seats": [seat()]}),
        ("UNREAD", {}, {"seats": [seat(unread=9)]}),
        ("DIGESTED", {}, {"seats": [seat(digested=True)]}),
        ("UNDER_WAY", {}, {"seats": [seat(written=False)]}),
        ("GATEWAY_BEHIND", {}, {"seats": [seat(head=9, written=False)]}),
        ("JOINED_LATER", {}, {"seats": [seat(joined=10)]}),
        ("RECOVERING", {}, {"seats": [seat(state="recovering")]}),
        ("JOINING", {}, {"seats": [seat(state="joining")]}),
        ("NOT_SUBSCRIBED", {}, {"seats": [seat(state="none")]}),
        ("NO_SOCKET", {}, {}),
        ("NO_SOCKET", {}, {"seats": [seat(place=Place("user:ann", 4))]}),
        ("NOT_PUBLISHED", {"published": False}, {"seats": [seat()]}),
        ("MAY_NOT_READ", {"may_read": False, "published": False}, {"seats": [seat()]}),
        ("NO_SUCH_USER", {"may_read": None}, {}),
    ],
)
def test_the_first_thing_that_stops_it_is_the_reason(code: str, place: dict[str, Any], found: dict[str, Any]) -> None:
    """Seen failing with `>` for `>=` where it joined, and with the relay asked before the rules."""
    first, *_ = reasons([told(**place)], NONE_WAIT, [answer(**found)], 1)
    assert first.code == code


def test_what_redis_has_was_published_whatever_postgresql_knows() -> None:
    """Seen failing with the word of PostgreSQL alone: a reader had it, and it was said not to be there."""
    places = [told(offset=n, published=known) for n, known in ((3, False), (4, False), (5, True), (6, False))]
    heads = [Position("e", 3), Position("e", 3), None, None]
    assert [place.published for place in as_published(places, heads)] == [True, False, True, False]


def test_an_event_without_a_place_waits_or_is_none() -> None:
    (waits,) = reasons([], Waiting(True, 3, 2.0), [], 0)
    (none,) = reasons([], NONE_WAIT, [], 0)
    assert (waits.code, none.code) == ("NOT_NUMBERED", "NO_SUCH_EVENT")
    assert "3" in waits.text


def test_says_who_did_not_answer_and_which_sockets_ended_last() -> None:
    """Seen failing with the sockets in the order of the processes."""
    some = [answer(ended=[Ended("a", 90.0, "left")]), answer(ended=[Ended("b", 4.0, "4002 too slow")])]
    found = reasons([told()], NONE_WAIT, some, 3)
    assert [(one.code, one.session) for one in found] == [
        ("NOT_ALL_ANSWERED", ""),
        ("NO_SOCKET", ""),
        ("SOCKET_ENDED", "b"),
        ("SOCKET_ENDED", "a"),
    ]


def test_processes_add_up() -> None:
    """Seen failing with the events of a channel added up, which each process hears."""
    some = [
        answer(
            gateway=name,
            figures={"rt_connections": 2, "rt_loop_gap_max_ms": late},
            channels=[Hot("community", readers, 9, 2.0), Hot("user:ann", 1, 4, 9.0)],
            slow=[Slow("ann", "websocket", late)],
            closes={"left": 1, "4002 too slow": late},
        )
        for name, readers, late in (("h", 5, 8), ("g", 7, 30))
    ]
    found = totals(some)
    assert found["figures"] == {"rt_connections": 4, "rt_loop_gap_max_ms": 30}
    assert [
        (one["channel"], one["readers"], one["deliveriesPerS"], one["eventsPerS"]) for one in found["channels"]
    ] == [
        ("community", 12, 24.0, 2.0),
        ("user:ann", 2, 18.0, 9.0),
    ]
    assert [one["gateway"] for one in found["processes"]] == ["g", "h"]
    assert found["closes"] == [{"why": "4002 too slow", "count": 38}, {"why": "left", "count": 2}]
    assert [one["unread"] for one in found["slow"]] == [30, 8]


def test_a_user_is_an_id_or_an_address() -> None:
    user, event = uuid7(), uuid7()
    assert asked_of(b'{"user": "%b", "event": "%b"}' % (str(user).encode(), str(event).encode())) == (user, event)
    assert asked_of(b'{"user": " Ada@Example.org", "event": "%b"}' % str(event).encode()) == ("ada@example.org", event)


@given(
    st.binary(max_size=60),
    st.text(max_size=40),
    st.sampled_from(["ada@example.org", "01a220f2-979e-7c54-ab80-5341af3faa17"]),
)
def test_anything_else_is_bad_input(body: bytes, text: str, user: str) -> None:
    """Seen failing with an id of an event that was handed to PostgreSQL unread."""
    for bad in (
        body,
        orjson.dumps({"user": user, "event": text}),
        orjson.dumps({"user": text.replace("@", ""), "event": user}),
    ):
        with pytest.raises(BadInput):
            asked_of(bad)
