"""The part of the migrations that needs no server."""

from pathlib import Path

import pytest

from api.migrate import MigrationError, migrations, role_of


@pytest.mark.parametrize(
    ("url", "role", "password"),
    [
        ("postgresql://app@host/db", "app", None),
        ("postgresql://a%40b:p%2Fw@host:1/db", "a@b", "p/w"),
        ("postgresql:///db?host=/tmp&user=app&password=pw", "app", "pw"),
    ],
)
def test_the_role_of_a_url(url: str, role: str, password: str | None) -> None:
    assert role_of("DATABASE_URL", url) == ("DATABASE_URL", role, password)


def test_a_url_without_a_role_is_refused() -> None:
    with pytest.raises(MigrationError, match="names no role"):
        role_of("DATABASE_URL", "postgresql://host/db")


def test_migrations_are_numbered_without_a_gap(tmp_path: Path) -> None:
    assert [one.number for one in migrations()] == list(range(1, len(migrations()) + 1))
    (tmp_path / "0001_a.sql").write_text("")
    (tmp_path / "0003_c.sql").write_text("")
    with pytest.raises(MigrationError, match="without a gap"):
        migrations(tmp_path)
