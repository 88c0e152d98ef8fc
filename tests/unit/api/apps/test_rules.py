"""What other apps may say, and what a page of a history says."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.apps.rules import App, Past, Since, batch_of, channel_of, hash_of, history_of, key_of, since_of
from config.errors import ApiError, BadInput, Forbidden
from config.limits import APP_PAGE_BYTES_MAX

NOW = datetime(2026, 11, 28, 1, 2, 3, tzinfo=UTC)
APP = App("poll", False, False, False, [], 1000, None, 100, 64, 0)
GOOD: dict[str, Any] = {"channel": "votes", "id": "1", "type": "vote", "data": {"n": 1}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def told(*events: dict[str, Any]) -> list[dict[str, Any]]:
    batch = batch_of(APP, orjson.dumps({"events": list(events)}), NOW)
    return [orjson.loads(body) for body in batch.bodies]


def test_an_event_is_told_as_all_events_are() -> None:
    assert told(GOOD) == [
        {"id": "1", "v": 1, "type": "vote", "created_at": "2026-11-28T01:02:03Z", "actor": None, "data": {"n": 1}}
    ]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"channel": ""}, 400),
        ({"channel": "a b"}, 400),
        ({"channel": "x" * 129}, 400),
        ({"channel": 'q"'}, 400),
        ({"channel": "app:other:votes"}, 403),
        ({"channel": "app:musclemap:community"}, 400),
        ({"id": ""}, 400),
        ({"id": "x" * 65}, 400),
        ({"id": "a\x00"}, 400),
        ({"id": "a\n"}, 400),
        ({"id": 1}, 400),
        ({"type": ""}, 400),
        ({"type": "a b"}, 400),
        ({"type": "x" * 65}, 400),
        ({"data": [1]}, 400),
        ({"data": None}, 400),
        ({"data": {"n": "x" * 64}}, 413),
    ],
)
def test_what_is_wrong_is_refused_whole(changes: dict[str, Any], status: int) -> None:
    """Seen failing without the check of `id` (PostgreSQL takes no NUL), and with any app's channel."""
    with pytest.raises(ApiError) as refused:
        told(GOOD, GOOD | changes)
    assert refused.value.status == status


@pytest.mark.parametrize("count", [0, 101])
def test_a_request_has_1_to_100_events(count: int) -> None:
    with pytest.raises(BadInput):
        told(*[GOOD] * count)
    assert len(told(*[GOOD] * 100)) == 100


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"events":[{"channel":"c","id":"1","type":"t"}]}',
        b'{"events":[{"channel":"c","id":"1","type":"t","data":{"n":' + b"9" * 40 + b"}}]}",
        b'{"events":[{"channel":"c","id":"1","type":"t","data":{"n":' + b"[" * 300 + b"]" * 300 + b"}}]}",
        b'{"events":[{"channel":"c","id":"1","type":"t","data":{"n":"\\ud800"}}]}',
        b'{"events":[{"channel":"c","id":"1","type":"t","data":{"n":' + b"[" * 100_000,
        b"\xff",
    ],
)
def test_bad_bodies_are_bad_input(body: bytes) -> None:
    """Seen failing with data that was written without a look at what JSON carries (a TypeError, 500)."""
    with pytest.raises(BadInput):
        batch_of(APP, body, NOW)


@given(JSON)
def test_data_is_carried_as_it_was_said(value: Any) -> None:
    wide = App("poll", False, False, False, [], 1000, None, 100, 32_768, 0)
    batch = batch_of(wide, orjson.dumps({"events": [GOOD | {"data": {"v": value}}]}), NOW)
    assert orjson.loads(batch.bodies[0])["data"] == {"v": value}


def test_a_channel_is_named_in_two_ways() -> None:
    assert channel_of("poll", "votes") == channel_of("poll", "app:poll:votes")
    assert channel_of("poll", "community").wire == "app:poll:community"
    with pytest.raises(Forbidden):
        channel_of("poll", "app:poll2:votes")


def test_a_key_is_what_follows_bearer() -> None:
    assert key_of("Bearer k") == key_of("bearer k ") == hash_of("k")
    for wrong in (None, "", "k", "Basic k", "Bearer", "Bearer " + "k" * 200):
        assert key_of(wrong) == hash_of("")


@pytest.mark.parametrize(
    ("text", "expected"), [(None, None), ("5", Since(None, 5)), ("e1:0", Since("e1", 0)), ("a_b:7", Since("a_b", 7))]
)
def test_a_place(text: str | None, expected: Since | None) -> None:
    assert since_of(text) == expected


@pytest.mark.parametrize("text", ["", "x", "e:", "e:-1", "e:9007199254740992", "e:1:2", "é:1", "e:\u0661"])
def test_what_is_no_place(text: str) -> None:
    """Seen failing with digits of all scripts."""
    with pytest.raises(BadInput):
        since_of(text)


@pytest.mark.parametrize(
    ("since", "first", "recovered"),
    [
        (None, 11, None),
        (Since("e", 10), 11, True),
        (Since(None, 15), 16, True),
        (Since("e", 20), 21, True),
        (Since("e", 9), 11, False),  # 10 may not be read any more
        (Since("e", 21), 22, False),  # from the future
        (Since("f", 15), 16, False),
    ],
)
def test_a_page_says_whether_something_is_missing(since: Since | None, first: int, recovered: bool | None) -> None:
    past = Past("e", 20, 11, [(n, b"{}") for n in range(first, 21)])
    page = history_of(past, since, APP_PAGE_BYTES_MAX)
    assert (page["recovered"], page["more"], page["offset"]) == (recovered, False, 20)
    assert [one["offset"] for one in page["events"]] == list(range(first, 21))


def test_a_page_ends_before_it_is_too_large() -> None:
    """But for its first event. Seen failing with none where one is larger than all."""
    past = Past("e", 3, 1, [(n, b'"%b"' % (b"x" * 50)) for n in (1, 2, 3)])
    page = history_of(past, None, 10)
    assert [one["offset"] for one in page["events"]] == [1]
    assert (page["offset"], page["more"]) == (1, True)
