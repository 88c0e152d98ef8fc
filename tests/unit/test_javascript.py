"""The types of JavaScript, which JSDoc says and TypeScript's compiler holds together."""

import re
import subprocess
from itertools import chain
from typing import Final

import pytest

from tests.support.node import node_with_packages
from tests.support.stores import ROOT

RUN_S: Final = 60
# What keeps the compiler quiet instead of telling it the truth.
SILENT: Final = re.compile(r"@ts-(?:ignore|expect-error|nocheck)|\{(?:any|\*|Function)(?:\[\])?\}|\bany\b(?=[,>\])|])")


@pytest.mark.parametrize("project", ["api/web", "tests/npm"])
def test_the_types_hold(project: str) -> None:
    """The page, strictly; tests and benchmarks, of which each parameter need not say its type.

    The page failed before with 344 errors, most of them types that nobody had said and elements that may be missing.
    Seen failing with `offset` for the `to` of a digest and with `charged` misspelt in the answer to a mutation; and
    with a handler in client.test.mjs that `subscribe` does not have.
    """
    node, modules = node_with_packages()
    done = subprocess.run(
        [node, str(modules / "typescript" / "bin" / "tsc"), "--noEmit", "--project", str(ROOT / project)],
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_is_checked_and_silences_nothing() -> None:
    """Seen failing with the first line of words.js removed, with a `@ts-ignore`, and with a parameter that is `any`."""
    ours = [ROOT / "api" / "web" / "static", ROOT / "tests", ROOT / "loadtest"]
    programs = ROOT / "api" / "web" / "docs" / "programs"
    served = (ours[0].glob("*.js"), (ours[0] / "views").glob("*.js"), programs.glob("*js"))
    paths = sorted(chain(*served, *(folder.rglob("*.mjs") for folder in ours)))
    assert paths
    for path in paths:
        text = path.read_text("utf-8")
        assert text.startswith("// @ts-check\n"), path.name
        assert not SILENT.search(text), path.name
