"""What a returning client gets, and what Redis may forget."""

from hypothesis import given
from hypothesis import strategies as st

from config.limits import FEED_STREAM_EVENTS, FEED_STREAM_EVENTS_MAX, FEED_STREAM_S
from rt.feed.positions import MARK_EVERY_S, Position, Window, recover

OFFSETS = st.integers(0, 40)


def entries(first: int, last: int) -> list[tuple[int, bytes]]:
    return [(offset, b"%d" % offset) for offset in range(first, last + 1)]


@given(head=OFFSETS, since=st.integers(-5, 60), kept_from=st.integers(1, 45), same_epoch=st.booleans())
def test_recovery_is_whole_or_nothing(head: int, since: int, kept_from: int, same_epoch: bool) -> None:
    """Failed against: `<=` for the number of kept entries; no look at the epoch."""
    kept = entries(max(kept_from, since + 1), head)
    history = recover(Position("E", head), Position("E" if same_epoch else "F", since), kept)
    whole = same_epoch and 0 <= since <= head and (since == head or kept_from <= since + 1)
    assert (history.epoch, history.offset, history.recovered) == ("E", head, whole)
    assert history.events == (entries(since + 1, head) if whole else [])


@given(head=OFFSETS, since=OFFSETS, read=st.integers(0, 45))
def test_the_oldest_part_will_do_where_the_rest_is_read_later(head: int, since: int, read: int) -> None:
    """Failed against: nothing read counted as a part of something missed."""
    since, head = sorted((since, head))
    kept = entries(since + 1, head)[:read]
    history = recover(Position("E", head), Position("E", since), kept, partly=True)
    assert history.recovered is (since == head or bool(kept))
    assert history.events == kept


def test_a_hole_in_the_history_is_no_recovery() -> None:
    """Failed against: counting the entries without looking at their offsets."""
    assert recover(Position("E", 3), Position("E", 0), [(1, b""), (2, b""), (2, b"")]).recovered is False


def test_without_since_there_is_only_the_head() -> None:
    assert recover(Position("E", 7), None, []) == ("E", 7, None, [])


def test_nothing_missed_is_recovered_whatever_was_forgotten() -> None:
    assert recover(Position("E", 9_999), Position("E", 9_999), []).recovered is True


@given(steps=st.lists(st.tuples(st.floats(0, 200), st.integers(1, 400)), min_size=1, max_size=80))
def test_the_window_keeps_what_the_protocol_promises(steps: list[tuple[float, int]]) -> None:
    """Never forgets the last 1,000 nor what is younger than ten minutes, within the maximum; forgets the rest.

    Failed against: a mark dropped when it was old enough instead of when the next one was.
    """
    window, now, head = Window(), 0.0, 0
    appended: list[float] = []
    for pause, count in steps:
        now += pause
        head += count
        appended += [now] * count
        first = window.keep_from(head, now)
        assert 1 <= first <= head
        young = [offset for offset, at in enumerate(appended, 1) if now - at < FEED_STREAM_S]
        must = max(1, min(head - FEED_STREAM_EVENTS + 1, young[0]), head - FEED_STREAM_EVENTS_MAX + 1)
        assert first <= must
        # Nothing is kept for long after it may go: one mark, and the span between two appends, is the slack.
        old = [o for o, at in enumerate(appended, 1) if now - at >= FEED_STREAM_S + MARK_EVERY_S + 200]
        assert first >= min(old[-1] + 1 if old else 1, head - FEED_STREAM_EVENTS + 1)


def test_the_window_has_a_maximum() -> None:
    """Failed against: no maximum."""
    window = Window()
    for step in range(1, 41):
        first = window.keep_from(step * 500, step * 0.1)
    assert first == 20_000 - FEED_STREAM_EVENTS_MAX + 1
