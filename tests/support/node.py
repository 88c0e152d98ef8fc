"""Node's own WebSocket client, for tests that must not trust a client written by the makers of the server."""

import fcntl
import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support.programs import lacks, needs
from tests.support.stores import ROOT

WS_VERSION: Final = "8.23.0"
NODE_MAJOR_MIN: Final = 18
INSTALL_S: Final = 180
FOLDER: Final = ROOT / ".data" / "node"


def ws_module() -> Path:
    """The folder of npm's package `ws`, fetched once into .data/node. Skips the test where that cannot be had."""
    node, npm = needs("node"), needs("npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        lacks(f"node {version.strip()} is older than {NODE_MAJOR_MIN}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests of another process want it, too
        return _installed(npm)


def _installed(npm: str) -> Path:
    package = FOLDER / "node_modules" / "ws"
    manifest = package / "package.json"
    if manifest.exists() and json.loads(manifest.read_text("utf-8"))["version"] == WS_VERSION:
        return package
    options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(
        [npm, "install", "--prefix", str(FOLDER), *options, f"ws@{WS_VERSION}"],
        cwd=FOLDER,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"npm cannot fetch ws {WS_VERSION}: {done.stderr.strip().splitlines()[-1:]}")
    return package
