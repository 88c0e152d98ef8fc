"""The files that are made of others: `python -m tests.support.bundles` makes api/web/built, api/web/npm,
api/web/static/page and the page's part of h3-js anew, after a change of what is in them. A test holds them to their
sources."""

import subprocess
import tarfile
from pathlib import Path
from typing import Final

from tests.support.node import PINS, node_with_packages, ws_module
from tests.support.programs import needs
from tests.support.stores import ROOT

WEB: Final = ROOT / "api" / "web"
RUN_S: Final = 120


def bundle(out: Path) -> None:
    """Writes them below `out`. Skips the test where there is no Node."""
    node, modules = node_with_packages()
    command = [node, str(PINS / "bundle.mjs"), str(modules), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def packed(folder: Path) -> Path:
    """A folder whose node_modules has the client as `npm pack` packs it, and `ws`. Skips the test without npm."""
    npm, modules = needs("npm"), folder / "node_modules"
    client = modules / "musclemap-live"
    client.mkdir(parents=True)
    command = [npm, "pack", str(WEB / "npm"), "--pack-destination", str(folder), "--loglevel=error", "--offline"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(folder.glob("musclemap-live-*.tgz"))) as archive:
        for member in archive:  # by hand: Python 3.11.2 cannot extract with a filter
            path = client / Path(member.name).name
            if (content := archive.extractfile(member)) is not None:
                path.write_bytes(content.read())
    (modules / "ws").symlink_to(ws_module())
    return folder


def made(out: Path) -> dict[str, bytes]:
    """By their paths below `out`, the files that `bundle` writes."""
    patterns = ("built/*.js", "static/page/*", "static/vendor/h3.js", "npm/*.js", "npm/*.d.ts", "npm/LICENSE")
    paths = [path for pattern in patterns for path in out.glob(pattern)]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


if __name__ == "__main__":
    bundle(WEB)
