"""Roles and commands without the second of CPU that each start takes to import: forked from a process that has imported
the role's modules and run nothing of them. What then runs is `python -m {module}`, from its first line to its exit
code, with passwords that are quickly hashed.

Not for tests that measure memory, and not where the environment says something to the interpreter itself.
"""

import gc
import importlib
import json
import math
import os
import resource
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from config.prctl import die_with_parent

ROOT: Final = Path(__file__).resolve().parents[2]
POLL_S: Final = 0.01
RUN_S: Final = 60.0
MESSAGE_BYTES: Final = 128 * 1024
OF_THE_INTERPRETER: Final = ("LD_", "PYTHON", "GLIBC_", "MALLOC_")

_servers: dict[str, "_Server"] = {}
_starting: Final = threading.Lock()
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

    def wait(self, limit_s: float = math.inf) -> int:
        end = time.monotonic() + limit_s
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.kill()
                raise TimeoutError(f"it runs after {limit_s} s")
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
    with log.open("ab") as output:
        return _start(role, (), env, output.fileno(), output.fileno())


def run(module: str, *words: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`python -m {module} {words}` to its end: its code and what it said."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = _start(module, words, env, out.fileno(), err.fileno())
        if process is None:
            code = subprocess.run(
                [sys.executable, "-m", module, *words], cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, timeout=RUN_S, check=False,
            ).returncode  # fmt: skip
        else:
            code = process.wait(RUN_S)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([module, *words], code, out.read(), err.read())


def _start(module: str, words: Sequence[str], env: Mapping[str, str], out: int, err: int) -> Forked | None:
    if not used or _of_the_interpreter(env) != _of_the_interpreter(os.environ):
        return None
    role = module.partition(".")[0]
    with _starting:
        if role not in _servers:
            _servers[role] = _Server(role)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    pid = _servers[role].ask({"module": module, "words": words, "env": dict(env), "files": limits}, out, err)
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
        self._asking = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forks", role, str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )  # no signal at its parent's death, which a thread's end is: it reads that nobody asks any more

    def ask(self, request: Mapping[str, object], *files: int) -> int | None:
        with self._asking:
            socket.send_fds(self._socket, [json.dumps(request).encode()], files)
            answer: int | None = json.loads(self._socket.recv(MESSAGE_BYTES))
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.close()


def _serve(role: str, requests: socket.socket) -> tuple[str, list[str]]:
    """Answers until nobody asks any more. Returns in a process that shall be a module, with its words."""
    importlib.import_module(f"{role}.__main__")
    if role == "api":
        importlib.import_module("tests.support.passwords").hurry()
    us = os.getpid()
    while (message := socket.recv_fds(requests, MESSAGE_BYTES, 2))[0]:
        request, files = json.loads(message[0]), message[1]
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            requests.send(json.dumps(os.waitstatus_to_exitcode(status) if pid else None).encode())
            continue
        module = request["module"]
        if hasattr(importlib.import_module(module), "__path__"):
            module += ".__main__"
            importlib.import_module(module)
        gc.freeze()  # what it has imported is neither looked through nor copied at its end: 0.3 s of CPU
        if not os.fork():
            _become(request, files, us)
            requests.send(json.dumps(os.getpid()).encode())  # not before: it leads its session now
            requests.close()
            sys.modules.pop(module)  # it runs as `__main__`
            return request["module"], request["words"]
        for file in files:
            os.close(file)
    sys.exit()


def _become(request: dict[str, Any], output: list[int], parent: int) -> None:
    """A process as `config.embedded.child.start` makes them."""
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    os.setsid()
    for place, file in enumerate(output, 1):
        os.dup2(file, place)
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, request["files"])
    os.environ.clear()
    os.environ.update(request["env"])


if __name__ == "__main__":
    _module, _words = _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
    sys.argv = [_module, *_words]
    runpy.run_module(_module, run_name="__main__", alter_sys=True)
