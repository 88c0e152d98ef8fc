"""In which coding a static file travels."""

import pytest

from api.web.compressed import coding_for


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("BR;q=0.5, gzip", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.000, gzip;q=0", None),
        ("brotli, xgzip", None),
        ("identity", None),
        ("", None),
    ],
)
def test_only_what_is_named_and_not_refused(accepted: str, coding: str | None) -> None:
    """Seen failing with a coding looked for anywhere in the header."""
    assert coding_for(accepted) == coding
