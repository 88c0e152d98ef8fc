"""Several processes of one role: forked from one that has imported everything, replaced where they die, ended together.

No event loop here. What the parent opened before, its children have: memory that nobody writes to is shared, and so are
listeners.
"""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from config.prctl import die_with_parent

log = structlog.get_logger()

RESTART_PAUSE_S: Final = 0.5  # before a child that died is replaced
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

Name = int | str
Children = Mapping[Name, Callable[[], None]]  # the whole life of each; SystemExit says its exit code


def supervise(children: Children, let_go: Callable[[], None]) -> None:
    """Forks them, passes signals on, and returns when all have ended after one. `let_go` closes what this process has
    open for them, once it is to end."""
    _Supervisor(children, let_go).run()


class _Supervisor:
    def __init__(self, children: Children, let_go: Callable[[], None]) -> None:
        self._lives = children
        self._let_go = let_go
        self._children: dict[int, Name] = {}  # by process id
        self._stopping = False
        self._parent = os.getpid()

    def run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, (*_SIGNALS, signal.SIGCHLD))
        # Not collected first: new objects of a child would fill the holes, and so copy the pages around them.
        gc.freeze()
        for name in self._lives:
            self._start(name)
        while self._children:
            number = signal.sigwait((*_SIGNALS, signal.SIGCHLD))
            if number == signal.SIGCHLD:
                self._reap()
            else:
                self._stop(number)
        log.info("stopped", exit_code=0)

    def _start(self, name: Name) -> None:
        pid = os.fork()
        if pid == 0:
            self._be_child(name)
        self._children[pid] = name

    def _be_child(self, name: Name) -> None:
        """Never returns."""
        die_with_parent(signal.SIGKILL)
        if os.getppid() != self._parent:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        code = 1
        try:
            self._lives[name]()
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
            name = self._children.pop(pid, None)
            if name is None or self._stopping:
                continue
            log.error("child_died", child=name, pid=pid, status=os.waitstatus_to_exitcode(status))
            time.sleep(RESTART_PAUSE_S)
            self._start(name)

    def _stop(self, number: int) -> None:
        if not self._stopping:
            self._let_go()
        self._stopping = True
        for pid in list(self._children):
            os.kill(pid, number)
