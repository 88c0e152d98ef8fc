"""How much of a long test `make test` runs: what shows the fault at once. `make chaos` runs the whole of it."""

from typing import Any

import pytest


def some_or_all(name: str, some: Any, every: Any) -> pytest.MarkDecorator:
    """The test's argument `name`: `some`, and `every` where the long fault runs are wanted."""
    return pytest.mark.parametrize(
        name, [pytest.param(some, id="some"), pytest.param(every, id="all", marks=pytest.mark.chaos)]
    )
