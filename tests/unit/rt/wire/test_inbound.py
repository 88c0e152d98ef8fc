"""What is a message, what is a bad one, and what is none."""

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rt.wire import inbound
from rt.wire.inbound import MALFORMED, Heartbeat, Malformed, Problem, decode

NO_MESSAGES = [
    b"", b"nope", b"[]", b'"x"', b"1", b"null", b"{}", b'{"id":3}', b'{"type":1}', b'{"type":null}',
    b'{"type":"ping"}x', b'{"type":"heartbeat","lat":NaN}', b'{"type":"heartbeat","lat":Infinity}',
    b'{"type":"ping","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", b'\xef\xbb\xbf{"type":"ping"}',
    b'{"type":"ping","id":"\\ud800"}',
]  # fmt: skip

BAD_FIELDS = [
    {"type": "heartbeat", "lat": 91, "lng": 0},
    {"type": "heartbeat", "lat": -90.1, "lng": 0},
    {"type": "heartbeat", "lat": 0, "lng": 180.5},
    {"type": "heartbeat", "lat": 0},
    {"type": "heartbeat", "lat": "1", "lng": 0},
    {"type": "heartbeat", "lat": 1, "lng": 1, "cell": "871fb4662ffffff"},
    {"type": "heartbeat", "cell": "871fb4662fffff"},
    {"type": "heartbeat", "cell": "871FB4662FFFFFF"},
    {"type": "heartbeat", "cell": "ffffffffffffffff"},
    {"type": "heartbeat", "cell": "871fb4662ffffff\n"},
    {"type": "heartbeat", "cell": "851fb467fffffff"},  # resolution 5: coarser than what is stored
    {"type": "heartbeat", "cell": 608_692_970_719_903_743},
    {"type": "heartbeat", "status": "asleep"},
    {"type": "heartbeat", "audience": "friends"},
    {"type": "heartbeat", "background": 1},
    {"type": "heartbeat", "exercise": ""},
    {"type": "subscribe"},
    {"type": "subscribe", "channel": 5},
    {"type": "subscribe", "channel": "x" * 201},
    {"type": "subscribe", "channel": "community", "since": 5},
    {"type": "subscribe", "channel": "community", "since": {}},
    {"type": "subscribe", "channel": "community", "since": {"epoch": "e", "offset": -1}},
    {"type": "subscribe", "channel": "community", "since": {"epoch": "e", "offset": 2**53}},
    {"type": "subscribe", "channel": "community", "since": {"epoch": "e", "offset": "1"}},
    {"type": "subscribe", "channel": "community", "since": {"epoch": 1, "offset": 1}},
    {"type": "viewport", "west": 0, "south": 10, "east": 1, "north": 0, "zoom": 3},
    {"type": "viewport", "west": 0, "south": 0, "east": 1, "north": 1, "zoom": 23},
    {"type": "viewport", "west": 0, "south": 0, "east": 1, "north": 1, "zoom": -1},
    {"type": "viewport", "west": 0, "south": 0, "east": 1, "north": 1},
    {"type": "refresh"},
    {"type": "connect", "token": 5},
    {"type": "ping", "id": [1]},
    {"type": "ping", "id": True},
    {"type": "ping", "id": "x" * 65},
    {"type": "ping", "id": 1.5},
]


@pytest.mark.parametrize("data", NO_MESSAGES, ids=lambda data: data[:20].decode("utf-8", "replace"))
def test_no_message_at_all(data: bytes) -> None:
    assert decode(data) is MALFORMED


@pytest.mark.parametrize("message", BAD_FIELDS, ids=str)
def test_bad_fields_are_told_and_the_id_comes_back(message: dict[str, object]) -> None:
    """Failed for the cell with a line end while the pattern ended in `$`."""
    answer = decode(orjson.dumps({"id": 7} | message))
    assert isinstance(answer, Problem)
    assert answer.code == "BAD_INPUT"
    assert answer.id == (None if "id" in message else 7)


def test_unknown_types() -> None:
    assert decode(b'{"type":"__proto__","id":"a"}') == Problem("a", "UNKNOWN_TYPE", "unknown type")


@pytest.mark.parametrize("message_id", [0, -1, 2**63 - 1, "", "x" * 64, "é"])
def test_ids_are_kept(message_id: int | str) -> None:
    message = decode(orjson.dumps({"type": "ping", "id": message_id, "more": [1, {"x": None}]}))
    assert isinstance(message, inbound.Ping)
    assert message.id == message_id


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_place_becomes_a_cell_of_resolution_7(lat: float, lng: float) -> None:
    message = decode(orjson.dumps({"type": "heartbeat", "lat": lat, "lng": lng}))
    assert isinstance(message, Heartbeat)
    cell = message.place()
    assert cell is not None
    again = decode(orjson.dumps({"type": "heartbeat", "cell": cell}))
    assert isinstance(again, Heartbeat)
    assert again.place() == cell
    assert cell.startswith("87")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["type", "id", "token", "channel", "since", "lat", "lng", "cell", "status", "zoom", "west", "background", "epoch"]
)


@given(st.dictionaries(FIELDS, JSON, max_size=6), st.sampled_from(sorted(inbound.TYPES)) | st.text())
def test_any_object_is_answered(fields: dict[str, object], kind: str) -> None:
    text = _json({"type": kind} | fields)
    answer = decode(text)
    assert isinstance(answer, inbound.AnyMessage | Problem | Malformed)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    assert isinstance(decode(data), inbound.AnyMessage | Problem | Malformed)


def _json(value: object) -> bytes:
    assert not (isinstance(value, float) and math.isnan(value))
    return json.dumps(value).encode()
