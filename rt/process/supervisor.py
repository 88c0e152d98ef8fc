"""Several gateway processes and the presence keeper behind one port: imports once, forks, restarts, passes signals on.

No event loop here. Each child has its own listener on the port, made before the fork, so that a child that is
replaced finds its queue where it was; options set on a listener are inherited by the sockets it accepts.
"""

import gc
import os
import signal
import socket
import sys
import time
from typing import Final

import structlog

from config.limits import TCP_KEEPALIVE_S, TCP_NOTSENT_LOWAT_BYTES, TCP_USER_TIMEOUT_MS
from config.listening import TCP_NOTSENT_LOWAT, TCP_USER_TIMEOUT, family_of, trouble
from config.prctl import die_with_parent
from config.process import Lifetime, allow_open_files, configure_logging, run
from config.redis import connect
from config.settings import Settings
from rt.metrics import Board
from rt.presence.keeper import keep
from rt.process.prefork import warm_up
from rt.process.server import serve

log = structlog.get_logger()

TCP_RECEIVE_BYTES: Final = 64 * 1024  # the kernel keeps about this of what one socket says, and a read brings no more
RESTART_PAUSE_S: Final = 0.5  # before a child that died is replaced

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
        self._children: dict[int, int | str] = {}  # pid -> row, or the keeper
        self._stopping = False
        self._parent = os.getpid()

    def run(self) -> int:
        """Forks, watches, and ends when every child has ended after a signal."""
        settings = self._settings
        require_free(settings.rt_host, settings.rt_port)
        self._listeners = [listener(settings.rt_host, settings.rt_port) for _ in range(settings.rt_processes)]
        configure_logging("rt", settings.log_level)
        files = allow_open_files()
        warm_up(settings)
        signals = (signal.SIGTERM, signal.SIGINT)
        signal.pthread_sigmask(signal.SIG_BLOCK, (*signals, signal.SIGCHLD))
        # Not collected first: new objects of a child would fill the holes, and so copy the pages around them.
        gc.freeze()
        log.info("supervising", processes=settings.rt_processes, port=settings.rt_port, open_files=files)
        for row in range(settings.rt_processes):
            self._start(row)
        self._start(_KEEPER)
        while self._children:
            number = signal.sigwait((*signals, signal.SIGCHLD))
            if number == signal.SIGCHLD:
                self._reap()
            else:
                self._stop(number)
        log.info("stopped", exit_code=0)
        return 0

    def _start(self, role: int | str) -> None:
        pid = os.fork()
        if pid == 0:
            self._be_child(role)
        self._children[pid] = role

    def _be_child(self, role: int | str) -> None:
        """Never returns."""
        die_with_parent(signal.SIGKILL)
        if os.getppid() != self._parent:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        settings, board = self._settings, self._board
        for row, made in enumerate(self._listeners):
            if row != role:
                made.close()
        code = 1
        try:
            if isinstance(role, int):
                own, mine = self._listeners[role], role
                board.adopt(mine)
                run("rt", settings.log_level, lambda lifetime: serve(lifetime, settings, own, board, mine))
            else:
                run("keeper", settings.log_level, lambda lifetime: _keep(lifetime, settings))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            role = self._children.pop(pid, None)
            if role is None or self._stopping:
                continue
            log.error("child_died", child=role, pid=pid, status=os.waitstatus_to_exitcode(status))
            time.sleep(RESTART_PAUSE_S)
            self._start(role)

    def _stop(self, number: int) -> None:
        self._stopping = True
        for made in self._listeners:
            made.close()  # ours; a child closes its own when its queue is empty
        for pid in list(self._children):
            os.kill(pid, number)


async def _keep(lifetime: Lifetime, settings: Settings) -> None:
    redis = connect(settings.redis_url.get_secret_value())
    try:
        await keep(redis, settings, lifetime.stopping)
    finally:
        await redis.aclose()
