"""A program that lives no longer than we do, in a session of its own so that Ctrl-C does not reach it."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from config.embedded.account import Account
from config.embedded.errors import StoreError

PR_SET_PDEATHSIG: Final = 1  # prctl(2)
POLL_S: Final = 0.01
LOG_LINES_SHOWN: Final = 5

_LIBC: Final = ctypes.CDLL(None, use_errno=True)  # resolved here: between fork and exec is no place to load a library


def die_with_parent(number: signal.Signals) -> None:
    """Has the kernel send this process `number` when the thread that started it ends, also by kill -9."""
    _LIBC.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def start(
    command: Sequence[str],
    *,
    log: Path,
    folder: Path,
    account: Account | None,
    at_our_death: signal.Signals,
    standard_input: bytes = b"",
) -> subprocess.Popen[bytes]:
    """Starts `command` as `account` in `folder`; what it says is added to `log`. Call from a thread that stays.

    It gets `at_our_death` from the kernel when we die, and it starts from an environment of our making: nothing of
    PGPORT, LD_LIBRARY_PATH and their like reaches it.
    """
    parent = os.getpid()

    def before_exec() -> None:
        die_with_parent(at_our_death)
        if os.getppid() != parent:
            os._exit(1)

    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            start_new_session=True,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
            preexec_fn=before_exec,
        )
    if child.stdin is not None:
        with child.stdin as pipe:
            pipe.write(standard_input)
    return child


def wait_until(
    ready: Callable[[], bool], child: subprocess.Popen[bytes], *, name: str, log: Path, limit_s: float
) -> None:
    """Polls `ready`. Raises StoreError, with the end of the log, when the child ends first or the limit passes."""
    end = time.monotonic() + limit_s
    while not ready():
        if child.poll() is not None:
            raise StoreError(f"{name} ended at once (exit code {child.returncode}):\n{tail(log)}")
        if time.monotonic() > end:
            raise StoreError(f"{name} was not ready in {limit_s:.0f} s:\n{tail(log)}")
        time.sleep(POLL_S)


def stop(child: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Sends each signal and waits its seconds until the child has ended; then kills it."""
    for number, wait_s in steps:
        if child.poll() is not None:
            return
        child.send_signal(number)
        try:
            child.wait(wait_s)
        except subprocess.TimeoutExpired:
            continue
        return
    child.kill()
    child.wait()


def tail(log: Path) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:])
    except OSError:
        return ""
