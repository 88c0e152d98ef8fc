"""The envelope of the bus."""

from hypothesis import given
from hypothesis import strategies as st

from config.limits import TRACES_PER_BATCH_MAX
from rt.wire.bus import decode_batch, encode_batch

PLACES = st.lists(
    st.builds("00-{:032x}-{:016x}-01".format, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)), max_size=12
)


@given(PLACES, st.integers(0, 5))
def test_traces_go_along_and_frames_are_the_same_bytes(places: list[str], size: int) -> None:
    """Seen failing with the traces behind the frames."""
    bodies = [b'{"n":%d}' % n for n in range(size)]
    plain, traced = (decode_batch(encode_batch("e", "community", 7, bodies, more)) for more in ([], places))
    assert plain is not None
    assert traced is not None
    assert traced.traces == tuple(places[:TRACES_PER_BATCH_MAX])
    assert traced._replace(traces=()) == plain


def test_without_a_trace_the_message_is_that_of_the_release_before() -> None:
    """Its gateways read on. Seen failing with a fourth word that is empty."""
    assert encode_batch("e", "community", 7, []) == b"e 7 0\n"
