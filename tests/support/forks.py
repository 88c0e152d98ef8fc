"""Roles without the second of CPU that each start takes to import: forked from a process that has imported the role's
modules and run nothing of them. What then runs is `python -m {role}`, from its first line to its exit code, with
passwords that are quickly hashed.

Not for tests that measure memory, and not where the environment says something to the interpreter itself.
"""

import contextlib
import importlib
import json
import os
import resource
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from config.prctl import die_with_parent

ROOT: Final = Path(__file__).resolve().parents[2]
POLL_S: Final = 0.01
MESSAGE_BYTES: Final = 128 * 1024
OF_THE_INTERPRETER: Final = ("LD_", "PYTHON", "GLIBC_", "MALLOC_")

_servers: dict[str, "_Server"] = {}
used = True  # the tests' set-up says where not


class Forked:
    """A process of ours by what `subprocess.Popen` calls its methods; the server is its parent and tells its end."""

    def __init__(self, server: "_Server", pid: int) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.ask({"poll": self.pid})
        return self.returncode

    def wait(self) -> int:
        while (code := self.poll()) is None:
            time.sleep(POLL_S)
        return code

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def start(role: str, env: Mapping[str, str], log: Path) -> Forked | None:
    """The process, which ends with this one; None where it has to be started in the usual way."""
    if not used or _of_the_interpreter(env) != _of_the_interpreter(os.environ):
        return None
    if role not in _servers:
        _servers[role] = _Server(role)
    with log.open("ab") as output:
        request = {"env": dict(env), "files": resource.getrlimit(resource.RLIMIT_NOFILE)}
        pid = _servers[role].ask(request, output.fileno())
    assert pid is not None
    return Forked(_servers[role], pid)


def close() -> None:
    """Ends the servers."""
    while _servers:
        _servers.popitem()[1].close()


def _of_the_interpreter(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(OF_THE_INTERPRETER)}


class _Server:
    """The process that forks, as the one sees it that asks."""

    def __init__(self, role: str) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forks", role, str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(signal.SIGKILL),
            )

    def ask(self, request: Mapping[str, object], *files: int) -> int | None:
        socket.send_fds(self._socket, [json.dumps(request).encode()], files)
        answer: int | None = json.loads(self._socket.recv(MESSAGE_BYTES))
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.close()


def _serve(role: str, requests: socket.socket) -> None:
    """Answers until nobody asks any more. Returns in a process that shall be the role."""
    importlib.import_module(f"{role}.__main__")
    if role == "api":
        importlib.import_module("tests.support.passwords").hurry()
    us = os.getpid()
    while (message := socket.recv_fds(requests, MESSAGE_BYTES, 1))[0]:
        request, files = json.loads(message[0]), message[1]
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            requests.send(json.dumps(os.waitstatus_to_exitcode(status) if pid else None).encode())
        elif not os.fork():
            _become(request, files[0], us)
            requests.send(json.dumps(os.getpid()).encode())  # not before: it leads its session now
            return requests.close()
        for file in files:
            os.close(file)
    sys.exit()


def _become(request: dict[str, Any], log: int, parent: int) -> None:
    """A process as `config.embedded.child.start` makes them."""
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    os.setsid()
    for output in (1, 2):
        os.dup2(log, output)
    os.close(log)
    resource.setrlimit(resource.RLIMIT_NOFILE, request["files"])
    os.environ.clear()
    os.environ.update(request["env"])


if __name__ == "__main__":
    _role = sys.argv[1]
    with contextlib.suppress(KeyboardInterrupt):
        _serve(_role, socket.socket(fileno=int(sys.argv[2])))
    sys.argv = [str(ROOT / _role / "__main__.py")]
    runpy.run_module(_role, run_name="__main__", alter_sys=True)
