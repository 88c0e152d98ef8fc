"""The part of the database client that needs no server."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.db.database import backoff_s
from config.db.queries import load_queries


@given(st.integers(0, 20), st.floats(0, 1, exclude_max=True))
def test_backoff_is_full_jitter_under_a_cap(tries: int, chance: float) -> None:
    assert 0 <= backoff_s(tries, chance) < min(0.320, 0.010 * 2**tries) + 1e-12


def test_queries_are_named_once(tmp_path: Path) -> None:
    module = str(tmp_path / "store.py")
    file = tmp_path / "queries.sql"
    file.write_text("-- What it is about.\n\n-- name: one\n-- $1 x\nSELECT $1;\n\n-- name: two\nSELECT 2;\n")
    queries = load_queries(module)
    assert {name: query.sql for name, query in queries.items()} == {"one": "-- $1 x\nSELECT $1", "two": "SELECT 2"}
    assert queries["one"].name == f"{tmp_path.name}.one"
    file.write_text("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;\n")
    with pytest.raises(ValueError, match="twice"):
        load_queries(module)
