"""Who comes in when: by turns, in order, and what waits for a key."""

import asyncio
from collections.abc import Iterable
from itertools import count

import pytest

from config.limits import KEY_WAIT_MESSAGES_MAX, KEY_WAITS_MAX
from rt.sockets.admission import Admission
from rt.wire.closes import Closing
from rt.wire.inbound import MALFORMED, Decoded
from tests.support.gateway import until


class Recorder(asyncio.Transport):
    """A visitor, and its socket, that notes what happens to it."""

    def __init__(self, log: list[tuple[str, object]]) -> None:
        super().__init__()
        self.log = log
        self.transport: asyncio.Transport | None = self
        self.reading = True

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def listen(self) -> None:
        self.reading = True

    def read(self, data: bytes, at: int = 0) -> None:
        self.log.append(("read", data))
        if data == b"raise":
            raise ValueError

    def go_on(self, messages: Iterable[Decoded]) -> None:
        self.log.append(("go on", list(messages)))

    def close(self, closing: Closing | None = None) -> None:
        self.log.append(("close", closing))


async def served(admission: Admission) -> None:
    await until(lambda: not len(admission))


async def test_first_come_first_served_and_all_of_one_together() -> None:
    log: list[tuple[str, object]] = []
    admission, first, second = Admission(asyncio.get_running_loop()), Recorder(log), Recorder(log)
    admission.enqueue(first, b"a")
    admission.enqueue(second, b"b")
    admission.enqueue(first, b"c")
    assert admission.waits(first)
    assert (first.reading, second.reading) == (False, True)
    await served(admission)
    assert log == [("read", b"ac"), ("read", b"b")]
    assert first.reading
    assert not admission.waits(first)


async def test_a_turn_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed with everybody served in one turn."""
    clock = count()
    monkeypatch.setattr("rt.sockets.admission.ADMISSION_TURN_S", 3)
    monkeypatch.setattr("rt.sockets.admission.monotonic", lambda: next(clock))
    log: list[tuple[str, object]] = []
    admission = Admission(asyncio.get_running_loop())
    for number in range(10):
        admission.enqueue(Recorder(log), b"%d" % number)
    await asyncio.sleep(0)
    assert [data for _, data in log] == [b"0", b"1", b"2"]
    await served(admission)
    assert len(log) == 10


async def test_one_that_fails_does_not_shut_the_door() -> None:
    """Failed without the `finally`: nobody was served any more."""
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    log: list[tuple[str, object]] = []
    admission = Admission(asyncio.get_running_loop())
    admission.enqueue(Recorder(log), b"raise")
    admission.enqueue(Recorder(log), b"next")
    await served(admission)
    assert log[-1] == ("read", b"next")


async def test_who_waited_for_a_key_has_a_turn_too_and_what_it_said_since_comes_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Failed with all of them decided in one turn, and with what came since left in the line: overtaken by what
    comes next, which a client that was welcomed is heard at once."""
    clock = count()
    monkeypatch.setattr("rt.sockets.admission.ADMISSION_TURN_S", 2)
    monkeypatch.setattr("rt.sockets.admission.monotonic", lambda: next(clock))
    log: list[tuple[str, object]] = []
    admission, waiting = Admission(asyncio.get_running_loop()), [Recorder(log) for _ in range(4)]
    for visitor in waiting:
        admission.await_key(visitor, MALFORMED)
    admission.enqueue(Recorder(log), b"another")
    admission.enqueue(waiting[1], b"since")
    admission.keys_fetched(waiting)
    assert len(admission) == 4 + 2
    assert admission.waits(waiting[0])
    await asyncio.sleep(0)
    assert log == [("go on", [MALFORMED]), ("go on", [MALFORMED]), ("read", b"since")]
    await served(admission)
    assert log[3:] == [("go on", [MALFORMED]), ("go on", [MALFORMED]), ("read", b"another")]


async def test_who_has_left_is_not_served() -> None:
    log: list[tuple[str, object]] = []
    admission, visitor = Admission(asyncio.get_running_loop()), Recorder(log)
    admission.enqueue(visitor, b"a")
    admission.await_key(visitor, MALFORMED)
    admission.leave(visitor)
    admission.keys_fetched([visitor])
    admission.serve(visitor)
    await asyncio.sleep(0)
    assert log == []


async def test_what_comes_behind_a_held_message_is_kept_in_order_and_bounded() -> None:
    log: list[tuple[str, object]] = []
    admission, visitor = Admission(asyncio.get_running_loop()), Recorder(log)
    assert not admission.keeps(visitor, MALFORMED)
    admission.await_key(visitor, MALFORMED)
    assert admission.keys_wanted.is_set()
    for _ in range(KEY_WAIT_MESSAGES_MAX - 1):
        assert admission.keeps(visitor, MALFORMED)
    assert log == []
    assert admission.keeps(visitor, MALFORMED)
    assert log == [("close", Closing.OVERLOADED)]
    admission.keys_fetched([visitor])
    await asyncio.sleep(0)
    assert log[1] == ("go on", [MALFORMED] * KEY_WAIT_MESSAGES_MAX)
    for _ in range(KEY_WAITS_MAX):
        admission.await_key(Recorder(log), MALFORMED)
    admission.await_key(visitor, MALFORMED)
    assert log[2:] == [("close", Closing.OVERLOADED)]
