"""What one read may ask for: frames by turns, fragments within bounds, pieces that are told."""

from typing import ClassVar

import pytest
from hypothesis import given

from rt.sockets.connection import CLOSING, OPEN
from rt.wire.closes import Closing
from tests.unit.rt.sockets.test_connection import SEQUENCES, Direct, close_code, frame, opened


class Turns(Direct):
    """Reads two frames a turn; `turns` counts them."""

    frames_per_turn: ClassVar[int] = 2
    turns = 1

    def put_off(self, data: bytes, at: int) -> None:
        self.turns += 1
        self.read(data, at)


class Refusing(Direct):
    """Keeps no fragment after the first three of a socket."""

    def on_fragment(self, *, ignored: bool) -> bool:
        self.events.append(("fragment", b"ignored" if ignored else b""))
        return not ignored and len(self.events) <= 3


@given(SEQUENCES)
def test_turns_change_nothing(frames: list[bytes]) -> None:
    data = b"".join(frames)
    (whole, whole_wire), (turns, turns_wire) = opened(Direct), opened(Turns)
    whole.data_received(data)
    turns.data_received(data)
    assert turns.events == whole.events
    assert turns_wire.written == whole_wire.written


@pytest.mark.parametrize("first", [0x00, 0x81, 0x89, 0x8A])
def test_a_turn_serves_so_many_frames_and_no_more(first: int) -> None:
    """Failed with every frame of a read served at once, and with continuations handed to `websockets` all together."""
    connection, _ = opened(Turns)
    assert isinstance(connection, Turns)
    connection.data_received(frame(0x01, b"x") + frame(first, b"") * 9 if first == 0 else frame(first, b"") * 10)
    assert connection.turns == 5


def test_fragments_are_bounded_in_number_and_what_is_kept_of_them_in_memory() -> None:
    """Failed with a list that had an entry for each empty one, for ever."""
    connection, wire = opened(Direct)
    connection.data_received(frame(0x01, b"") + frame(0x00, b"") * (Direct.fragments_max - 2))
    assert connection._message is not None
    assert connection._message.data == bytearray()
    assert (wire.written, connection.phase) == (b"", OPEN)
    connection.data_received(frame(0x00, b"") * 2)
    assert (close_code(wire.written), connection.phase) == (Closing.TOO_BIG.code, CLOSING)


def test_a_message_whose_fragment_is_refused_is_ignored_to_its_end() -> None:
    """And nothing of it is kept; what comes behind it is heard. Its end is still asked for."""
    connection, _ = opened(Refusing)
    connection.data_received(frame(0x01, b"a") + frame(0x00, b"b") * 4)
    assert connection._message is not None
    assert connection._message.data is None
    connection.data_received(frame(0x80, b"c") + frame(0x81, b"whole"))
    kept, ignored = ("fragment", b""), ("fragment", b"ignored")
    assert connection.events == [kept] * 4 + [ignored] * 2 + [("text", b"whole")]


def test_reads_that_end_no_frame_are_told() -> None:
    """Failed: single bytes cost their sender nothing."""
    pieces: list[int] = []

    class Counting(Direct):
        def on_piece(self) -> None:
            pieces.append(1)

    connection, _ = opened(Counting)
    for byte in frame(0x81, b"{}") + frame(0xC1, b"bad")[:-1]:
        connection.data_received(bytes((byte,)))
    assert len(pieces) == 7 + 8
