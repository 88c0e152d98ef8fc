"""Several gateway processes and the presence keeper behind one port.

Each child has its own listener on the port, made before the fork, so that a child that is replaced finds its queue
where it was; options set on a listener are inherited by the sockets it accepts.
"""

import socket
import sys
import time
from functools import partial
from typing import Final

import structlog

from config.limits import TCP_KEEPALIVE_S, TCP_NOTSENT_LOWAT_BYTES, TCP_USER_TIMEOUT_MS
from config.listening import TCP_NOTSENT_LOWAT, TCP_USER_TIMEOUT, family_of, trouble
from config.process import Lifetime, allow_open_files, configure_logging, run
from config.redis import connect
from config.settings import Settings
from config.supervisor import Children, supervise
from rt.metrics import Board
from rt.presence.keeper import keep
from rt.process.prefork import warm_up
from rt.process.server import serve

log = structlog.get_logger()

TCP_RECEIVE_BYTES: Final = 64 * 1024  # the kernel keeps about this of what one socket says, and a read brings no more

_BACKLOG: Final = 4096
_KEEPER: Final = "keeper"
PORT_TRIES: Final = 5
PORT_TRY_S: Final = 0.1


def listener(host: str, port: int) -> socket.socket:
    """A listener of one child. Raises OSError."""
    made = socket.socket(family_of(host), socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TCP_RECEIVE_BYTES)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, TCP_KEEPALIVE_S)
    made.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
    made.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP_NOTSENT_LOWAT_BYTES)
    made.bind((host, port))
    made.listen(_BACKLOG)
    made.setblocking(False)
    return made


def require_free(host: str, port: int) -> None:
    """Ends the process with one line where somebody else has the port: SO_REUSEPORT would share it silently.

    Children of a gateway that was killed a moment ago are given that moment to die.
    """
    for _ in range(PORT_TRIES):
        if trouble(host, port, "RT_PORT") is None:
            return
        time.sleep(PORT_TRY_S)
    found = trouble(host, port, "RT_PORT")
    if found is not None:
        sys.exit(found)


class Supervisor:
    """See the module; `run` returns the exit code."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._board = Board(settings.rt_processes)
        self._listeners: list[socket.socket] = []

    def run(self) -> int:
        """Forks, watches, and ends when every child has ended after a signal."""
        settings = self._settings
        require_free(settings.rt_host, settings.rt_port)
        self._listeners = [listener(settings.rt_host, settings.rt_port) for _ in range(settings.rt_processes)]
        configure_logging("rt", settings.log_level)
        files = allow_open_files()
        warm_up(settings)
        log.info("supervising", processes=settings.rt_processes, port=settings.rt_port, open_files=files)
        gateways: Children = {row: partial(self._serve, row) for row in range(settings.rt_processes)}
        supervise({**gateways, _KEEPER: self._keep}, self._close)
        return 0

    def _serve(self, row: int) -> None:
        """The life of a child with sockets."""
        settings, board, own = self._settings, self._board, self._listeners[row]
        self._close(but=own)
        board.adopt(row)
        run("rt", settings.log_level, lambda lifetime: serve(lifetime, settings, own, board, row))

    def _keep(self) -> None:
        """The life of the keeper."""
        self._close()
        run("keeper", self._settings.log_level, lambda lifetime: _keep(lifetime, self._settings))

    def _close(self, but: socket.socket | None = None) -> None:
        """Of this process alone: a child closes its own listener when its queue is empty."""
        for made in self._listeners:
            if made is not but:
                made.close()


async def _keep(lifetime: Lifetime, settings: Settings) -> None:
    redis = connect(settings.redis_url.get_secret_value())
    try:
        await keep(redis, settings, lifetime.stopping)
    finally:
        await redis.aclose()
