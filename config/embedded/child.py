"""A program that lives no longer than we do, in a session of its own so that Ctrl-C does not reach it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from config.embedded.account import Account
from config.embedded.errors import StoreError
from config.prctl import die_with_parent

# For a store: nothing of PGPORT, LD_LIBRARY_PATH and their like may reach it.
CLEAN: Final = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
POLL_S: Final = 0.01
LOG_LINES_SHOWN: Final = 5
LOG_BYTES_MAX: Final = 8 * 1024 * 1024  # then a start puts it aside, over the one that was aside before


def start(
    command: Sequence[str],
    *,
    folder: Path,
    at_our_death: signal.Signals,
    log: Path | None = None,
    account: Account | None = None,
    env: Mapping[str, str] = CLEAN,
    standard_input: bytes = b"",
) -> subprocess.Popen[bytes]:
    """Starts `command` as `account` in `folder`; what it says is added to `log`, or is said where we say things.

    The kernel sends it `at_our_death` when the thread that called this ends: call from one that stays.
    """
    parent = os.getpid()

    def before_exec() -> None:
        die_with_parent(at_our_death)
        if os.getppid() != parent:
            os._exit(1)

    with contextlib.ExitStack() as files:
        output = None if log is None else files.enter_context(_open_log(log))
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=None if log is None else subprocess.STDOUT,
            cwd=folder,
            env=env,
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


def _open_log(log: Path) -> BinaryIO:
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.rename(log.with_suffix(".old.log"))
    return log.open("ab")


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


def reap_orphans(ours: Collection[int]) -> None:
    """Takes note of the end of adopted processes, so that they do not stay as zombies; `ours` are left alone."""
    with contextlib.suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid in ours:
                return
            os.waitpid(ended.si_pid, 0)


def end_descendants(spare: Collection[int]) -> None:
    """Kills every process that comes from us, except those of `spare` and what comes from them."""
    while pids := [pid for pid in _descendants(os.getpid(), spare) if _kill(pid)]:
        time.sleep(POLL_S * len(pids))


def _descendants(ancestor: int, spare: Collection[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid, stat = int(entry.name), (entry / "stat").read_text("utf-8", errors="replace")
            state, parent = stat.rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(pid)
    found, queue = [], [ancestor]
    while queue:
        for pid in children.get(queue.pop(), ()):
            if pid not in spare:
                found.append(pid)
                queue.append(pid)
    return found


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def tail(log: Path) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:])
    except OSError:
        return ""
