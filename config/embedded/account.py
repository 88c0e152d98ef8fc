"""Who the stores run as: PostgreSQL refuses root, so root hands them, and their files, to an account without rights."""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.embedded.binaries import Programs
from config.embedded.errors import StoreError

ACCOUNTS: Final = ("postgres", "nobody")  # initdb wants one with a name, so a bare number will not do
ELSEWHERE: Final = Path("/var/lib")
CHECK_S: Final = 20


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the machine by its numbers."""

    name: str
    uid: int
    gid: int


def unprivileged() -> Account | None:
    """The account for the stores when we are root; None when we are not: they then run as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise StoreError(f"PostgreSQL does not run as root and there is no account {' or '.join(ACCOUNTS)}: add one")


def home(data_dir: Path, account: Account | None) -> Path:
    """The folder for the files of the stores: DATA_DIR, or one under /var/lib when the account cannot reach that.

    A checkout under root's own folder (mode 0700) is the usual case of the latter.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    if account is None:
        return data_dir
    data_dir.chmod(0o711)
    if _succeeds(["test", "-x", str(data_dir)], account):
        return data_dir
    folder = elsewhere(data_dir)
    folder.mkdir(mode=0o711, exist_ok=True)
    return folder


def elsewhere(data_dir: Path) -> Path:
    """Where `home` puts files that DATA_DIR cannot hold: one folder for each DATA_DIR."""
    return ELSEWHERE / f"musclemap-{hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]}"


def runnable(programs: Programs, account: Account | None, copies: Path) -> Path:
    """The server program, or its copy under `copies` when the account may not run it where it is.

    Raises StoreError when the copy does not run either.
    """
    server = programs.root / programs.server
    if account is None or _succeeds([str(server), "--version"], account):
        return server
    stamp = f"{server} {server.stat().st_mtime_ns}"
    copy = copies / f"{server.name}-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    if not copy.exists():
        unfinished = copy.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in programs.parts:
            _copy(programs.root / part, unfinished / part)
        for place in (copies, unfinished, *unfinished.rglob("*")):
            if not place.is_symlink():
                place.chmod(0o755)
        unfinished.rename(copy)
    if not _succeeds([str(copy / programs.server), "--version"], account):
        raise StoreError(f"{copy / programs.server} does not run as {account.name}: set DATA_DIR elsewhere")
    return copy / programs.server


def own(folder: Path, account: Account | None) -> None:
    """Makes `folder` when it is missing, and gives it and all in it to the account alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account is None or folder.stat().st_uid == account.uid:
        return
    for place, _, files in os.walk(folder):
        os.chown(place, account.uid, account.gid)
        for file in files:
            os.chown(Path(place) / file, account.uid, account.gid, follow_symlinks=False)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def _succeeds(command: list[str], account: Account) -> bool:
    try:
        done = subprocess.run(
            command,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CHECK_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
