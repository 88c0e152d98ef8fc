"""The files that are made of others: `python -m tests.support.bundles` makes api/web/built, api/web/npm and the page's part
of h3-js anew, after a change of what is in them. A test holds them to their sources."""

import subprocess
from pathlib import Path
from typing import Final

from tests.support.node import PINS, node_with_packages
from tests.support.stores import ROOT

WEB: Final = ROOT / "api" / "web"
RUN_S: Final = 120


def bundle(out: Path) -> None:
    """Writes them below `out`. Skips the test where there is no Node."""
    node, modules = node_with_packages()
    command = [node, str(PINS / "bundle.mjs"), str(modules), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def made(out: Path) -> dict[str, bytes]:
    """By their paths below `out`, the files that `bundle` writes."""
    paths = [*out.glob("built/*.js"), out / "static" / "vendor" / "h3.js", *out.glob("npm/*.js"), *out.glob("npm/*.d.ts")]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


if __name__ == "__main__":
    bundle(WEB)
