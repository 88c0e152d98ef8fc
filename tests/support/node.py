"""Node and the packages of npm that tests run beside the product: pinned in tests/npm, fetched once into .data/npm.

`python -m tests.support.node` fetches them ahead, as `make test` does: the time limit of a test is no place for it.
"""

import fcntl
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support.programs import lacks, needs
from tests.support.stores import ROOT

NODE_MAJOR_MIN: Final = 18
INSTALL_S: Final = 300
PINS: Final = ROOT / "tests" / "npm"
FOLDER: Final = ROOT / ".data" / "npm"


def node_with_packages() -> tuple[str, Path]:
    """The path of Node and the folder of the packages of tests/npm. Skips the test where they cannot be had."""
    node, npm = needs("node"), needs("npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        lacks(f"node {version.strip()} is older than {NODE_MAJOR_MIN}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    modules = FOLDER / "node_modules"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_installed():
            _install(npm)
    return node, modules


def ws_module() -> Path:
    """The folder of npm's package `ws`: a WebSocket client that was not written by the makers of the server."""
    return node_with_packages()[1] / "ws"


def _is_installed() -> bool:
    """The lock is copied last, so that an install that was cut off counts for nothing."""
    done = FOLDER / "installed-lock.json"
    return done.exists() and done.read_bytes() == (PINS / "package-lock.json").read_bytes()


def _install(npm: str) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PINS / name, FOLDER / name)
    # `ci` installs what the lock says and nothing else, and compares each package with its hash.
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=FOLDER,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
    if done.returncode != 0:
        lacks(f"npm cannot fetch the packages of tests/npm ({done.stderr.strip().splitlines()[-1:]})")
    shutil.copyfile(PINS / "package-lock.json", FOLDER / "installed-lock.json")


if __name__ == "__main__":
    try:
        node_with_packages()
    except (pytest.skip.Exception, pytest.fail.Exception) as reason:
        print(reason)  # the tests that need them say the same
