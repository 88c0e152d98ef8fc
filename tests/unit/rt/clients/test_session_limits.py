"""How much a client may say, and how often it may be wrong."""

from config.limits import ERRORS_PER_WINDOW_MAX, MESSAGES_BURST, MESSAGES_PER_S, PIECES_PER_MESSAGE
from rt.clients.effects import Close, Throttle
from rt.wire.closes import Closing
from tests.unit.rt.clients.test_session import code, content, identified, tell


def test_the_21st_error_within_a_minute_closes() -> None:
    session = identified()
    for _ in range(ERRORS_PER_WINDOW_MAX):
        assert len(tell(session, {"type": "dance"})) == 1
    answer, close = tell(session, {"type": "dance"})
    assert code((answer,)) == "UNKNOWN_TYPE"
    assert close == Close(Closing.TOO_MANY_ERRORS)


def test_errors_are_forgotten_after_a_minute() -> None:
    session = identified()
    for number in range(100):
        assert len(tell(session, {"type": "dance"}, now=50.0 + 3.1 * number)) == 1


def test_the_rate_and_its_burst() -> None:
    session = identified()
    answers = [tell(session, {"type": "ping", "id": n}) for n in range(MESSAGES_BURST + 1)]
    assert all(content(answer[0])["type"] == "pong" for answer in answers[:-1])
    refusal = content(answers[-1][0])
    assert (refusal["code"], refusal["id"]) == ("RATE_LIMITED", MESSAGES_BURST)
    assert refusal["retry_after_ms"] >= 1
    assert content(tell(session, {"type": "ping"}, now=50.021)[0])["type"] == "pong"


def test_fragments_and_control_frames_share_the_rate_and_pieces_count_a_little() -> None:
    """Failed: fragments were counted nowhere, and reads that ended no frame cost nothing."""
    session = identified()
    for _ in range(MESSAGES_BURST // 2):
        assert session.fragment(50.0) == ()
        assert session.control(50.0) == ()
    assert session.is_over_rate
    refusal, throttle = session.fragment(50.0)
    assert code((refusal,)) == "RATE_LIMITED"
    assert throttle == Throttle(counted=True)
    rested = 50.0 + 1 / MESSAGES_PER_S
    for _ in range(PIECES_PER_MESSAGE - 1):  # the last may miss by a rounding
        assert session.control(rested, 1 / PIECES_PER_MESSAGE) == ()
    assert session.control(rested) == (Throttle(),)
    limited = [session.fragment(50.1 + number / 100) for number in range(2_000)]
    assert (Close(Closing.RATE_LIMIT),) in limited


def test_limited_for_ten_seconds_closes_and_a_pause_forgives() -> None:
    session, now = identified(), 50.0
    while now < 55.0:
        for _ in range(100):
            tell(session, {"type": "ping"}, now=now)
        now += 0.5
    now += 2.0  # a pause
    began = now
    while True:
        now += 0.1
        effects = [tell(session, {"type": "ping"}, now=now) for _ in range(20)]
        if (Close(Closing.RATE_LIMIT),) in effects:
            break
    assert 10.0 <= now - began <= 13.5
