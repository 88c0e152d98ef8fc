"""Frames as blocks of server-sent events: what a reader by the standard hears is what a socket hears."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from rt.channels.digest import digest
from rt.wire import outbound, sse
from rt.wire.bus import decode_presence, encode_presence, event_frame
from rt.wire.frames import PING, payload_of, split_frames
from rt.wire.sse import RENDITIONS_BYTES_MAX, Renditions
from tests.support.sse import Reader, Told

EPOCH = "2c1f0a9e"
_TEXT = st.text(max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_BODIES = st.lists(st.fixed_dictionaries({"type": st.sampled_from(["a", "b"]), "data": _JSON}), min_size=1, max_size=5)


def heard(data: bytes) -> list[Told]:
    return Reader().feed(data)


def message(frame: bytes) -> Any:
    return orjson.loads(payload_of(frame))


@settings(max_examples=30)  # each is read byte by byte
@given(_BODIES, st.integers(1, 2**53 - 10), st.booleans(), st.sampled_from([1, 3]))
def test_a_reader_hears_what_a_socket_hears(bodies: list[Any], first: int, pretty: bool, cut: int) -> None:
    """In any cut, and JSON that is written over several lines. Seen failing without the blanks in place of line ends
    (half a message), and with `from` of a digest as its place."""
    option = orjson.OPT_INDENT_2 if pretty else 0
    frames = [
        event_frame(
            "community", first + n, orjson.dumps(body, option=option).replace(b"\n", b"\r\n" if n % 2 else b"\n")
        )
        for n, body in enumerate(bodies)
    ]
    skipped = digest("community", first + len(frames), frames) if not pretty else b""
    data = sse.blocks(EPOCH, b"".join([*frames, skipped, outbound.STATUS[True]]))
    reader, told = Reader(), []
    for start in range(0, len(data), cut):
        told += reader.feed(data[start : start + cut])
    events, others = told[: len(frames)], told[len(frames) :]
    assert [one.data for one in events] == [message(frame) for frame in frames]
    assert [(one.kind, one.id) for one in events] == [("event", f"{EPOCH}:{first + n}") for n in range(len(frames))]
    if skipped:
        assert others.pop(0) == Told("digest", message(skipped), f"{EPOCH}:{first + 2 * len(frames) - 1}")
    assert [(one.kind, one.data) for one in others] == [("status", {"type": "status", "degraded": True})]
    assert others[0].id == told[-2].id  # it has no place of its own


def joined(recovered: bool | None, offset: int, events: list[tuple[int, bytes]]) -> bytes:
    frame = outbound.subscribed(
        None, channel="community", epoch=EPOCH, offset=offset, recovered=recovered, events=events
    )
    epoch, blocks = sse.joined(payload_of(frame))
    assert epoch == EPOCH
    return blocks


def test_who_joins_hears_where_the_stream_is() -> None:
    """The place alone is no event, and a reader keeps it. Seen failing without it: who had heard nothing came back
    without a place, and lost what was said meanwhile."""
    for recovered in (None, True):
        reader = Reader()
        assert reader.feed(joined(recovered, 42, [])) == []
        assert reader.last_id == f"{EPOCH}:42"


def test_who_comes_back_hears_what_was_missed_or_one_gap() -> None:
    missed = [(41, b'{"id":"a"}'), (42, b'{"id":"b"}')]
    told = heard(joined(True, 42, missed))
    assert [(one.kind, one.id) for one in told] == [("event", f"{EPOCH}:41"), ("event", f"{EPOCH}:42")]
    assert [one.data for one in told] == [message(event_frame("community", at, body)) for at, body in missed]
    assert heard(joined(False, 42, [])) == [Told("gap", {"type": "gap", "channel": "community"}, f"{EPOCH}:42")]


def test_what_is_no_event_is_not_told() -> None:
    presence = decode_presence(encode_presence("u1", "online", 1))
    assert presence is not None
    assert sse.blocks(EPOCH, presence) == b""
    kinds = [sse.kind_of(frame) for frame in (outbound.gap("community"), outbound.reconnect(1, "x"), PING)]
    assert kinds == [b"gap", b"reconnect", b""]


def test_comments_and_hints_are_no_events() -> None:
    reader = Reader()
    assert reader.feed(sse.COMMENT + sse.retry(1_500) + sse.comment("restart")) == []
    assert (reader.retry_ms, reader.comments, reader.last_id) == (1_500, ["", "restart"], "")


def test_all_streams_of_a_channel_get_the_same_bytes() -> None:
    """Made once for each flush, and what is kept of it is bounded. Seen failing with a rendition for each reader."""
    made = Renditions()
    flush = event_frame("community", 7, b"{}")
    assert made.find(EPOCH, flush) is None
    first = made.make(EPOCH, flush)
    assert made.find(EPOCH, flush) is first
    assert made.find("another", flush) is None
    body = b'"%b"' % (b"x" * 10_000)
    for offset in range(8, 300):
        made.make(EPOCH, event_frame("community", offset, body))
    assert made.find(EPOCH, flush) is None
    assert 0 < made._bytes <= RENDITIONS_BYTES_MAX
    assert made._bytes == sum(len(frames) + len(blocks) for (_, frames), blocks in made._made.items())
    large = event_frame("community", 300, b'"%b"' % (b"x" * RENDITIONS_BYTES_MAX))
    assert made.make(EPOCH, large) is made.find(EPOCH, large)  # what is being written is kept, whatever its size
    assert len(list(split_frames(large))) == len(made._made) == 1
