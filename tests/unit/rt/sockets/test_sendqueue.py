"""When a client that reads slowly is cut."""

from config.limits import FRAME_BYTES_MAX, SEND_QUEUE_AGE_S_MAX, SEND_QUEUE_BYTES_MAX, SEND_QUEUE_BYTES_PER_S_MIN
from rt.sockets.sendqueue import Backlog


def test_nothing_taken_for_the_age_limit() -> None:
    backlog = Backlog(20_000, 100.0)
    assert not backlog.is_lost(20_000, 100.0 + SEND_QUEUE_AGE_S_MAX - 0.1)
    assert backlog.is_lost(20_000, 100.0 + SEND_QUEUE_AGE_S_MAX)


def test_progress_moves_the_age_limit() -> None:
    """One that is written to as fast as it is read never shrinks.

    Seen failing with progress told by a smaller queue: cut at 110.0, with 40,960 bytes taken.
    """
    backlog = Backlog(20_000, 100.0)
    now = 100.0
    for _ in range(10):
        now += SEND_QUEUE_AGE_S_MAX
        backlog.wrote(SEND_QUEUE_AGE_S_MAX * SEND_QUEUE_BYTES_PER_S_MIN)
        assert not backlog.is_lost(20_000, now)


def test_a_few_bytes_are_no_progress() -> None:
    """A byte every nine seconds must not keep a socket, and all that waits for it, for good.

    Seen failing with any progress as enough: 40,950 bytes in ten seconds were.
    """
    backlog = Backlog(200_000, 100.0)
    for second in range(1, SEND_QUEUE_AGE_S_MAX):
        assert not backlog.is_lost(200_000 - second * (SEND_QUEUE_BYTES_PER_S_MIN - 1), 100.0 + second)
    taken = SEND_QUEUE_AGE_S_MAX * (SEND_QUEUE_BYTES_PER_S_MIN - 1)
    assert backlog.is_lost(200_000 - taken, 100.0 + SEND_QUEUE_AGE_S_MAX)


def test_too_many_bytes() -> None:
    backlog = Backlog(20_000, 100.0)
    backlog.wrote(SEND_QUEUE_BYTES_MAX)
    assert backlog.is_lost(20_000 + SEND_QUEUE_BYTES_MAX, 100.1)


def test_a_part_of_an_answer_leaves_room_for_the_rest() -> None:
    """Nobody is cut by what was published while it was told what it had missed.

    Seen failing without the allowance: cut at 524,288 bytes, half of them the part.
    """
    backlog = Backlog(FRAME_BYTES_MAX, 100.0)
    backlog.allow(FRAME_BYTES_MAX)
    backlog.wrote(SEND_QUEUE_BYTES_MAX)
    assert not backlog.is_lost(FRAME_BYTES_MAX + SEND_QUEUE_BYTES_MAX, 100.1)
    assert backlog.is_lost(FRAME_BYTES_MAX + SEND_QUEUE_BYTES_MAX + 1, 100.1)
