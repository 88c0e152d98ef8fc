"""The part of the database client that needs no server."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.db import backoff_s
from api.migrate import MigrationError, migrations, role_of
from api.queries import load_queries


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


@pytest.mark.parametrize(
    ("url", "role", "password"),
    [
        ("postgresql://app@host/db", "app", None),
        ("postgresql://a%40b:p%2Fw@host:1/db", "a@b", "p/w"),
        ("postgresql:///db?host=/tmp&user=app&password=pw", "app", "pw"),
    ],
)
def test_the_role_of_a_url(url: str, role: str, password: str | None) -> None:
    assert role_of(url) == (role, password)


def test_a_url_without_a_role_is_refused() -> None:
    with pytest.raises(MigrationError, match="names no role"):
        role_of("postgresql://host/db")


def test_migrations_are_numbered_without_a_gap(tmp_path: Path) -> None:
    assert [one.number for one in migrations()] == list(range(1, len(migrations()) + 1))
    (tmp_path / "0001_a.sql").write_text("")
    (tmp_path / "0003_c.sql").write_text("")
    with pytest.raises(MigrationError, match="without a gap"):
        migrations(tmp_path)
