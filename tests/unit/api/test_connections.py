"""When a connection that waits is ended."""

from api.connections import Connections, Place
from config.limits import HTTP_KEEP_ALIVE_S

PROXIES_KEEP_S = 60  # nginx and most balancers by themselves, and both as shipped


class Waiting:
    """A connection that has its answer."""

    def __init__(self) -> None:
        self.ended = False

    def shed(self) -> None:
        self.ended = True

    def cut(self) -> None:
        self.ended = True

    def unsent(self) -> int:
        return 0

    def has_left(self) -> bool:
        return False


def test_an_idle_connection_outlives_those_of_proxies() -> None:
    """Whoever reuses a connection must be the first to end it: else a request meets a closing one, and is a 502.
    Seen failing with 5 s."""
    connections, one = Connections(1, lenient=True, trusted=()), Waiting()
    assert connections.enter(one, "127.0.0.1", 0.0) is Place.SERVED
    connections.busy(one)
    connections.idle(one, 10.0)
    connections.sweep(10.0 + PROXIES_KEEP_S + 10)
    assert not one.ended
    connections.sweep(10.1 + HTTP_KEEP_ALIVE_S)
    assert one.ended
