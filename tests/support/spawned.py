"""The tasks that the product makes, by their names, as its source has them."""

import ast
import gc
from pathlib import Path

from tests.support.stores import ROOT


def _tree(path: Path) -> ast.Module:
    """Without a collection of garbage amid the parsing: one that runs finalizers can upset CPython 3.11's count of its
    depth (SystemError: AST constructor recursion depth mismatch)."""
    gc.disable()
    try:
        return ast.parse(path.read_text("utf-8"))
    finally:
        gc.enable()


def spawned() -> set[str]:
    """The names of all tasks that the product makes; of one without a name, its file."""
    found = set()
    for path in sorted(
        path for package in ("config", "rt", "api", "worker") for path in (ROOT / package).rglob("*.py")
    ):
        for node in ast.walk(_tree(path)):
            if not isinstance(node, ast.Call):
                continue
            maker = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            named = [keyword.value for keyword in node.keywords if keyword.arg == "name"]
            if maker in ("spawn", "create_task", "ensure_future", "Thread"):
                named = named or (node.args[:1] if maker == "spawn" else [])
                found.add(_text(named[0]) if named else path.relative_to(ROOT).as_posix())
            elif maker == "run" and node.args and isinstance(node.args[0], ast.Constant):
                found.add(_text(node.args[0]))
    return found


def _text(name: ast.expr) -> str:
    """A name as it is written; `*` for what is filled in."""
    if isinstance(name, ast.JoinedStr):
        return "".join(_text(part) for part in name.values)
    return str(name.value) if isinstance(name, ast.Constant) else "*"
