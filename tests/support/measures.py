"""How long files, functions and their like are, in each language of the repository. Vendored code is not ours."""

import ast
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.node import PINS, node_with_packages
from tests.support.programs import needs
from tests.support.stores import ROOT

FILE_LINES_MAX: Final = 400
FUNCTION_LINES_MAX: Final = 70
CLASS_PUBLIC_METHODS_MAX: Final = 15
RUN_S: Final = 60
# Methods that asyncio calls, and nobody else: no part of what a class offers.
PROTOCOL_CALLBACKS: Final = {
    "connection_made",
    "connection_lost",
    "data_received",
    "eof_received",
    "pause_writing",
    "resume_writing",
}


class Measure(NamedTuple):
    """`what` is a path, or "path:name" of something in it; `size` is of lines, or of methods."""

    what: str
    size: int
    most: int


def name_of(path: Path) -> str:
    """The path as the repository names it."""
    return path.relative_to(ROOT).as_posix()


def files(paths: Iterable[Path]) -> Iterator[Measure]:
    """The lines of each file."""
    for path in paths:
        yield Measure(name_of(path), len(path.read_text("utf-8").splitlines()), FILE_LINES_MAX)


def python(paths: Iterable[Path]) -> Iterator[Measure]:
    """Functions by their lines, classes by what they offer."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield Measure(f"{name_of(path)}:{node.name}", lines, FUNCTION_LINES_MAX)
            elif isinstance(node, ast.ClassDef):
                public = [
                    item
                    for item in node.body
                    if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
                    and not item.name.startswith("_")
                    and item.name not in PROTOCOL_CALLBACKS
                ]
                yield Measure(f"{name_of(path)}:{node.name}", len(public), CLASS_PUBLIC_METHODS_MAX)


def javascript(paths: Iterable[Path]) -> Iterator[Measure]:
    """Functions and methods, as the parser `acorn` finds them. Skips the test where there is no Node."""
    node, modules = node_with_packages()
    found = _run(node, str(PINS / "functions.mjs"), str(modules), *(str(path) for path in paths))
    for path, name, lines in json.loads(found):
        yield Measure(f"{name_of(Path(path))}:{name}", lines, FUNCTION_LINES_MAX)


def lua(paths: Iterable[Path]) -> Iterator[Measure]:
    """Functions, as Lua's compiler lists them, and what a script does outside of them. Skips the test without luac."""
    compiler = needs("luac5.1", "luac")
    for path in paths:
        listed = re.findall(r"^function <.*:(\d+),(\d+)>", _run(compiler, "-l", "-p", str(path)), re.MULTILINE)
        spans = [range(int(first), int(last) + 1) for first, last in listed]
        lines = path.read_text("utf-8").splitlines()
        for span in spans:
            match = re.search(r"function\s+([\w.]+)", lines[span.start - 1])
            yield Measure(f"{name_of(path)}:{match[1] if match else span.start}", len(span), FUNCTION_LINES_MAX)
        outside = [line for number, line in enumerate(lines, 1) if not any(number in span for span in spans)]
        code = [line for line in outside if line.strip() and not line.lstrip().startswith("--")]
        yield Measure(f"{name_of(path)}:script", len(code), FUNCTION_LINES_MAX)


def sql(paths: Iterable[Path]) -> Iterator[Measure]:
    """Statements, a function's body with its head: each begins at a margin and ends with the semicolon of a line."""
    for path in paths:
        for named, text in _statements(path.read_text("utf-8")):
            yield Measure(f"{name_of(path)}:{named}", text.count("\n") + 1, FUNCTION_LINES_MAX)


def css(paths: Iterable[Path]) -> Iterator[Measure]:
    """Rules with what is in them, an `@media` with its rules."""
    for path in paths:
        text = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment[0].count("\n"), path.read_text("utf-8"), flags=re.S)
        for rule in re.finditer(r"^(\S[^{}]*)\{.*?^\}|^(\S[^{}\n]*)\{[^\n]*\}$", text, re.MULTILINE | re.DOTALL):
            name = " ".join((rule[1] or rule[2]).split())
            yield Measure(f"{name_of(path)}:{name}", rule[0].count("\n") + 1, FUNCTION_LINES_MAX)


def _statements(text: str) -> Iterator[tuple[str, str]]:
    """(its name, or its first words; the statement without the comments before it)."""
    name, lines, quoted = "", list[str](), False
    for line in text.splitlines():
        if not lines and (not line.strip() or line.startswith(("--", "\\"))):
            name = line.removeprefix("-- name:").strip() if line.startswith("-- name:") else name
            continue
        lines.append(line)
        quoted ^= line.count("$$") % 2 == 1
        if not quoted and re.sub(r"\s*--.*", "", line).rstrip().endswith(";"):
            yield name or " ".join(re.split(r"[\s(]+", lines[0])[:3]), "\n".join(lines)
            name, lines = "", []
    if lines:  # a query that is handed on needs no semicolon
        yield name or lines[0], "\n".join(lines)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


LANGUAGES: Final[Mapping[str, tuple[frozenset[str], Callable[[Iterable[Path]], Iterator[Measure]]]]] = {
    "Python": (frozenset({".py"}), python),
    "JavaScript": (frozenset({".js", ".mjs"}), javascript),
    "Lua": (frozenset({".lua"}), lua),
    "SQL": (frozenset({".sql"}), sql),
    "CSS": (frozenset({".css"}), css),
}
