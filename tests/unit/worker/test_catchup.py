"""What Redis needs so that it equals PostgreSQL."""

import pytest

from config.limits import FEED_STREAM_EVENTS, FEED_STREAM_EVENTS_MAX
from rt.feed.positions import Position
from rt.wire.channels import COMMUNITY, Channel, user_channel
from worker.catchup import Need, need, put_back_to

MINE = user_channel("u1")


@pytest.mark.parametrize(
    ("channel", "last", "in_redis", "expected"),
    [
        (COMMUNITY, 5, None, Need.REPLACE),
        (COMMUNITY, 0, None, Need.REPLACE),
        (COMMUNITY, 5, Position("F", 5), Need.REPLACE),
        (COMMUNITY, 5, Position("E", 6), Need.REPLACE),  # PostgreSQL is right, also when it has less
        (COMMUNITY, 5, Position("E", 5), Need.NOTHING),
        (COMMUNITY, 5, Position("E", 4), Need.APPEND),
        (COMMUNITY, FEED_STREAM_EVENTS_MAX, Position("E", 0), Need.APPEND),
        (COMMUNITY, FEED_STREAM_EVENTS_MAX + 1, Position("E", 0), Need.REPLACE),
        (MINE, FEED_STREAM_EVENTS, Position("E", 0), Need.APPEND),
        (MINE, FEED_STREAM_EVENTS + 1, Position("E", 0), Need.REPLACE),
    ],
)
def test_need(channel: Channel, last: int, in_redis: Position | None, expected: Need) -> None:
    assert need(channel, last, "E", in_redis) is expected


def test_nothing_is_appended_behind_what_was_dropped() -> None:
    """What comes next there is no longer kept. Seen failing with APPEND: the events after it got numbers that were not
    theirs."""
    assert need(COMMUNITY, 2_000, "E", Position("E", 999), dropped=1_000) is Need.REPLACE
    assert need(COMMUNITY, 2_000, "E", Position("E", 1_000), dropped=1_000) is Need.APPEND


def test_what_was_not_heard_is_not_put_back_silently() -> None:
    """Failed against: putting everything back, so that connected clients found a hole of more than a list keeps."""
    assert put_back_to(MINE, 200, 120) == 120
    assert put_back_to(MINE, 200, 200) == 200
    assert put_back_to(MINE, 5_000, 0) == 5_000 - FEED_STREAM_EVENTS
    assert put_back_to(COMMUNITY, 5_000, 0) == 0
