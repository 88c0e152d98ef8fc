"""When a client that reads slowly is cut."""

from config.limits import SEND_QUEUE_AGE_S_MAX, SEND_QUEUE_BYTES_MAX
from rt.sendqueue import Backlog


def test_nothing_taken_for_the_age_limit() -> None:
    backlog = Backlog(20_000, 100.0)
    assert not backlog.is_lost(20_000, 100.0 + SEND_QUEUE_AGE_S_MAX - 0.1)
    assert backlog.is_lost(20_000, 100.0 + SEND_QUEUE_AGE_S_MAX)


def test_progress_moves_the_age_limit() -> None:
    """Failed when progress was told by a smaller queue: one that is written to as fast as it is read never shrinks."""
    backlog = Backlog(20_000, 100.0)
    now = 100.0
    for _ in range(10):
        now += SEND_QUEUE_AGE_S_MAX - 1
        backlog.wrote(5_000, asked=False)
        assert not backlog.is_lost(20_000, now)


def test_too_many_bytes() -> None:
    backlog = Backlog(20_000, 100.0)
    backlog.wrote(SEND_QUEUE_BYTES_MAX, asked=False)
    assert backlog.is_lost(20_000 + SEND_QUEUE_BYTES_MAX, 100.1)


def test_an_answer_may_be_larger_than_the_cap() -> None:
    """Failed without the allowance: a client that asked for a thousand missed events was cut by getting them."""
    assert not Backlog(3 * SEND_QUEUE_BYTES_MAX, 100.0).is_lost(3 * SEND_QUEUE_BYTES_MAX, 100.1)
    backlog = Backlog(20_000, 100.0)
    backlog.wrote(3 * SEND_QUEUE_BYTES_MAX, asked=True)
    assert not backlog.is_lost(20_000 + 3 * SEND_QUEUE_BYTES_MAX, 100.1)


def test_the_newest_of_each_tile_is_held() -> None:
    backlog = Backlog(20_000, 100.0)
    backlog.hold("a", b"1")
    backlog.hold("b", b"2")
    backlog.hold("a", b"3")
    assert backlog.held == {"a": b"3", "b": b"2"}
