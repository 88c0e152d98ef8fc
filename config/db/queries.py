"""Named statements from the `.sql` files beside the modules that run them.

A file is a list of statements, each under a line `-- name: its_name`; comment lines after it say what it takes.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from config.metrics import PG_QUERY_SECONDS, SLOW_STATEMENTS

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)[ \t]*$", re.MULTILINE)


class Query(NamedTuple):
    """One statement. `observe` takes the seconds that one execution took."""

    name: str
    sql: str
    observe: Callable[[float], None]


def load_queries(module_file: str, file: str = "queries.sql") -> Mapping[str, Query]:
    """The statements of `file` in the folder of `module_file` (pass `__file__`), by name.

    Look them up at import, so that a misspelt name fails there. Raises ValueError where a name stands twice.
    """
    path = Path(module_file).parent / file
    _, *parts = _NAME.split(path.read_text("utf-8"))
    names, texts = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{path.parent.name}/{file}: a name stands twice")
    queries = {}
    for name, text in zip(names, texts, strict=True):
        label = f"{path.parent.name}.{name}"
        SLOW_STATEMENTS.labels(label)  # a rate of what begins at 1 would miss the first
        queries[name] = Query(label, text.strip().rstrip(";"), PG_QUERY_SECONDS.labels(label).observe)
    return MappingProxyType(queries)
