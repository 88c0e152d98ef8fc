"""The types of the page's JavaScript, which JSDoc says and TypeScript's compiler holds together."""

import re
import subprocess
from typing import Final

from api.web.page import FOLDER
from tests.support.node import node_with_packages

RUN_S: Final = 60
# What keeps the compiler quiet instead of telling it the truth.
SILENT: Final = re.compile(r"@ts-(?:ignore|expect-error|nocheck)|\{(?:any|\*|Function)(?:\[\])?\}|\bany\b(?=[,>\])|])")


def test_the_types_of_the_page_hold() -> None:
    """Failed before with 344 errors, most of them types that nobody had said and elements that may be missing. Seen
    failing with `offset` for the `to` of a digest, and with `charged` misspelt in the answer to a mutation."""
    node, modules = node_with_packages()
    done = subprocess.run(
        [node, str(modules / "typescript" / "bin" / "tsc"), "--noEmit", "--project", str(FOLDER.parent)],
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_of_the_page_is_checked_and_silences_nothing() -> None:
    """Seen failing with the first line of words.js removed, with a `@ts-ignore`, and with a parameter that is `any`."""
    for path in sorted(FOLDER.glob("*.js")):
        text = path.read_text("utf-8")
        assert text.startswith("// @ts-check\n"), path.name
        assert not SILENT.search(text), path.name
