"""The commands of the Makefile, run as children of the test: what they print, how they end, what they leave."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from config.embedded.ports import free_port
from config.prctl import die_with_parent
from tests.support.stores import ROOT, environment

LINE_S: Final = 60.0
END_S: Final = 12.0
POLL_S: Final = 0.02


class Command:
    """`python -m {module}` in a session of its own; `with` ends whatever is left of it."""

    def __init__(self, module: str, *words: str, **settings: str) -> None:
        self.lines: list[str] = []
        ports = {f"{role}_PORT": str(free_port()) for role in ("API", "RT", "WORKER")}
        self.env: Mapping[str, str] = environment(**(ports | {"RT_PROCESSES": "2"} | settings))
        self._command = [sys.executable, "-m", module, *words]
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(END_S)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self._reader is not None
        self._reader.join(END_S)
        if self.process.stdout is not None and not self._reader.is_alive():  # alive: somebody else holds the pipe
            self.process.stdout.close()
        if error is not None:
            sys.stderr.write("\n".join(self.lines[-40:]) + "\n")

    def wait_line(self, pattern: str) -> re.Match[str]:
        """The first line so far, or soon, that has the pattern. Fails when the command ends without it."""
        end = time.monotonic() + LINE_S
        while True:
            ended = self.process.poll() is not None
            for line in list(self.lines):
                if match := re.search(pattern, line):
                    return match
            assert not ended, f"ended ({self.process.returncode}) without {pattern!r}: {self.lines[-20:]}"
            assert time.monotonic() < end, f"no {pattern!r} in {LINE_S} s: {self.lines[-20:]}"
            time.sleep(POLL_S)

    def wait_end(self) -> int:
        """The exit code. Fails when the command takes longer than it may."""
        return self.process.wait(END_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with suppress(ValueError):
            for line in self.process.stdout:
                self.lines.append(line.rstrip("\n"))


def processes_with(text: str) -> list[int]:
    """Living processes in whose command line, environment or working folder `text` occurs, ourselves excepted."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            seen = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if text.encode() in seen or text in str((entry / "cwd").readlink()):
                found.append(int(entry.name))
    return found


def wait_gone(text: str, limit_s: float = END_S) -> None:
    """Returns when `processes_with` finds none. After the limit it kills them, fails, and says which there were."""
    end = time.monotonic() + limit_s
    while left := processes_with(text):
        if time.monotonic() > end:
            commands = [_command_of(pid) for pid in left]
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"still there: {commands}")
        time.sleep(POLL_S)


def _command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
    return ""
