"""How a backup tells PostgreSQL's clients where to go, and which dumps are over."""

from datetime import UTC, datetime

import pytest

from api.backups import BackupError, is_over, libpq


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://o:p@h:5433/d", "DATABASE=d HOST=h PASSWORD=p PORT=5433 USER=o"),
        ("postgres://o%40x:p%2F%3A@[::1]/d", "DATABASE=d HOST=::1 PASSWORD=p/: USER=o@x"),
        ("postgres://o@[::1]:5433/d", "DATABASE=d HOST=::1 PORT=5433 USER=o"),
        ("postgresql://o@a:1,b:2/d", "DATABASE=d HOST=a,b PORT=1,2 USER=o"),
        ("postgresql:///d?host=/run/postgresql&user=o", "DATABASE=d HOST=/run/postgresql USER=o"),
        ("postgresql://o@h/d?sslmode=require", "DATABASE=d HOST=h SSLMODE=require USER=o"),
    ],
)
def test_the_address_is_told_by_the_environment(url: str, found: str) -> None:
    """Seen failing with urlsplit's own port, which is one number: two hosts have two."""
    assert " ".join(sorted(f"{name.removeprefix('PG')}={value}" for name, value in libpq(url).items())) == found


def test_a_parameter_that_would_be_lost_is_refused() -> None:
    with pytest.raises(BackupError, match="has statement_cache_size, which a backup does not know"):
        libpq("postgresql://o@h/d?statement_cache_size=0")


def test_a_dump_is_over_by_the_time_in_its_name() -> None:
    now = datetime(2026, 3, 31, 3, tzinfo=UTC)
    assert is_over("musclemap-20260301T025959Z.dump", now, 30)
    assert not is_over("musclemap-20260301T030000Z.dump", now, 30)
    assert not is_over("musclemap-of-the-old-server.dump", now, 30)
