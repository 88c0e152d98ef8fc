"""Deadlines of connections while the process does not run. Who gives way: tests/integration/api/test_hoards.py."""

import pytest

from config.awake import AwakeClock
from config.limits import HTTP_HEAD_S, HTTP_KEEP_ALIVE_S, HTTP_SWEEP_S, HTTP_UNREAD_BYTES_PER_S_MIN, HTTP_UNREAD_LOOK_S
from config.serving.connections import Connections

PROXIES_KEEP_S = 60  # nginx and most balancers by themselves, and both as shipped


class Peer:
    """One connection; `left` bytes of its answer are unsent."""

    def __init__(self, left: int = 0) -> None:
        self.left = left
        self.ended = False

    def shed(self) -> None:
        self.ended = True

    cut = shed

    def unsent(self) -> int:
        return self.left

    def has_left(self) -> bool:
        return False


class Scene:
    """A server whose clock is moved by hand, with one of each that a deadline is for."""

    def __init__(self) -> None:
        self.at = 1_000.0
        self.all = Connections(100, lenient=False, trusted=())
        self.all.awake = AwakeClock(HTTP_SWEEP_S, lambda: self.at)
        self.idle, self.half, self.reader = Peer(), Peer(), Peer(HTTP_UNREAD_BYTES_PER_S_MIN * 10)
        for number, peer in enumerate((self.idle, self.half, self.reader)):
            self.all.enter(peer, f"192.0.2.{number}")
        self.all.busy(self.idle)
        self.all.idle(self.idle)
        self.all.busy(self.reader)
        self.all.unread(self.reader)

    def sweep(self, after_s: float) -> list[bool]:
        """What the server does next; who has been ended."""
        self.at += after_s
        self.all.awake.tick()
        self.all.sweep()
        return [peer.ended for peer in (self.idle, self.half, self.reader)]


@pytest.mark.parametrize("pause_s", [0, 60])
def test_a_pause_is_no_silence_of_others(pause_s: int) -> None:
    """Each is ended when its time has passed in which the server ran. Seen failing while the sweep went by a clock that
    does not stop: all three ended by the first one after the pause."""
    scene = Scene()
    began = scene.at
    if pause_s:
        assert scene.sweep(pause_s) == [False, False, False]
    ended: list[float] = [0.0] * 3
    for _ in range(max(HTTP_HEAD_S, HTTP_KEEP_ALIVE_S) + 2):
        now = scene.sweep(HTTP_SWEEP_S)
        ended = [at or (scene.at - began) * is_over for at, is_over in zip(ended, now, strict=True)]
    for at, limit_s in zip(ended, (HTTP_KEEP_ALIVE_S, HTTP_HEAD_S, HTTP_UNREAD_LOOK_S), strict=True):
        assert pause_s + limit_s - 2 * HTTP_SWEEP_S <= at <= pause_s + limit_s + HTTP_SWEEP_S


def test_an_idle_connection_outlives_those_of_proxies() -> None:
    """Whoever reuses a connection must be the first to end it: else a request meets a closing one, and is a 502.
    Seen failing with 5 s."""
    scene = Scene()
    for _ in range(PROXIES_KEEP_S + 10):
        scene.sweep(1.0)
    assert not scene.idle.ended
    for _ in range(HTTP_KEEP_ALIVE_S - PROXIES_KEEP_S):
        scene.sweep(1.0)
    assert scene.idle.ended
