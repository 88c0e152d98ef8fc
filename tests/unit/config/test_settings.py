"""What settings are refused, and what they come to."""

import pytest
from pydantic import ValidationError

from config.settings import Settings

APP = "https://app.example"


@pytest.mark.parametrize(
    "origins",
    [
        *("*", "null", "https://*.example", "https://*", "NULL"),
        *("app.example", "//app.example", "https:app.example", "https://", "https://:8443", "https:// app.example"),
        *("https://app.example/", "https://app.example/x", "https://app.example?x", "https://app.example#x"),
        *("https://me@app.example", "https://App.example", "HTTPS://app.example", "https://app.example:443"),
        *("http://app.example:80", "https://app.example:x", "https://app.example:70000", "https://app.example:"),
    ],
)
def test_an_origin_is_written_as_browsers_send_it(origins: str) -> None:
    """Any other would never match, or match what nobody means. Seen failing with `*` alone refused."""
    for words in (origins, f"{APP},{origins}"):
        with pytest.raises(ValidationError, match="ALLOWED_ORIGINS must be origins as browsers send them"):
            Settings(allowed_origins=words)


@pytest.mark.parametrize(
    "origin", [APP, "https://app.example:8443", "http://127.0.0.1:3000", "http://[::1]:3000", "capacitor://localhost"]
)
def test_origins_that_are_taken(origin: str) -> None:
    assert origin in Settings(environment="production", allowed_origins=origin).origins


def test_production_allows_the_origins_that_were_named_and_no_other() -> None:
    """Seen failing with http://localhost:8000 in it: any program on a visitor's own machine."""
    assert Settings(environment="production", allowed_origins=APP).origins == {APP}
    assert "http://localhost:8000" in Settings(allowed_origins=APP).origins
