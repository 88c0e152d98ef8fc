"""What settings are refused, and what they come to."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from config.settings import Settings, load
from tests.support.stores import ROOT

APP = "https://app.example"


@pytest.fixture(autouse=True)
def _no_settings_of_others() -> Iterator[None]:
    """`load` remembers what it read."""
    load.cache_clear()
    yield
    load.cache_clear()


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


@pytest.mark.parametrize(
    ("host", "port", "origin"),
    [
        ("::1", 8000, "http://[::1]:8000"),
        ("0:0:0:0:0:0:0:1", 8000, "http://[::1]:8000"),
        ("Gym.lan", 8000, "http://gym.lan:8000"),
        ("127.0.0.1", 80, "http://127.0.0.1"),
    ],
)
def test_the_own_origin_is_written_as_browsers_send_it(host: str, port: int, origin: str) -> None:
    """The page at that address may then call the API. Seen failing with host and port pasted together:
    http://::1:8000."""
    own = Settings(api_host=host, api_port=port)
    assert origin in own.origins
    assert {"http://::1:8000", "http://0:0:0:0:0:0:0:1:8000"}.isdisjoint(own.origins)
    assert own.hosts >= {"localhost", "127.0.0.1"}


@pytest.mark.parametrize("word", ["localhost", "127.0.0.1:80", "10.0.0.0/33", "::1/129"])
def test_a_proxy_is_trusted_by_its_address(word: str) -> None:
    """Seen failing (taken here, and a traceback when the process started) where nobody had looked at it."""
    with pytest.raises(ValidationError, match="TRUSTED_PROXIES must be addresses or networks"):
        Settings(trusted_proxies=f"127.0.0.1,{word}")


SECRETS = (
    *("database_url", "database_owner_url", "worker_database_url", "redis_url", "jwt_private_key", "smtp_url"),
    *("ticket_secret", "map_secret", "stripe_webhook_secret", "database_replica_url", "sentry_dsn"),
)
LINES = {name: f"the {name}\nof two lines" for name in SECRETS} | {"smtp_url": "smtps://the.example"}


def test_every_secret_has_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen failing (empty) without the source of files."""
    assert {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr} == set(SECRETS)
    for name in SECRETS:
        (tmp_path / name).write_text(f"{LINES[name]}\r\n\n")
        monkeypatch.setenv(f"{name.upper()}_FILE", str(tmp_path / name))
    found = Settings(mail_from="no-reply@example.org")
    for name in SECRETS:
        assert getattr(found, name).get_secret_value() == LINES[name]
    assert not any(word in repr(found) for word in ("the ", "the."))


def test_an_empty_setting_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As elsewhere: `REDIS_URL=` beside REDIS_URL_FILE, and `REDIS_URL_FILE=` beside REDIS_URL."""
    (tmp_path / "secret").write_text("redis://from-file")
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "secret"))
    assert Settings().redis_url.get_secret_value() == "redis://from-file"
    monkeypatch.setenv("REDIS_URL", "redis://given")
    monkeypatch.setenv("REDIS_URL_FILE", "")
    assert Settings().redis_url.get_secret_value() == "redis://given"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"canary \xff", "the file is not UTF-8"),
        (b"canary\0", "the file is not text"),
        (b"canary" * 20_000, "the file has more than 65536 bytes"),
    ],
)
def test_a_file_that_is_no_secret_ends_the_process_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, reason: str
) -> None:
    """The line names the setting and the reason, and holds nothing of the file."""
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("TICKET_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(SystemExit) as ended:
        load()
    assert ended.value.code == f"bad setting TICKET_SECRET_FILE: {reason}"


def test_a_secret_is_given_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen failing with the environment preferred in silence: a key that was replaced in one place alone."""
    (tmp_path / "secret").write_text("new")
    monkeypatch.setenv("jwt_private_key", "old")
    monkeypatch.setenv("JWT_PRIVATE_KEY_FILE", str(tmp_path / "secret"))
    with pytest.raises(SystemExit) as ended:
        load()
    assert ended.value.code == "bad setting JWT_PRIVATE_KEY_FILE: JWT_PRIVATE_KEY is set too; give one of them"


def test_a_folder_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAP_SECRET_FILE", str(tmp_path))
    with pytest.raises(SystemExit, match=r"^bad setting MAP_SECRET_FILE: Is a directory$"):
        load()


def test_the_readme_names_the_files() -> None:
    """Seen failing with MAP_SECRET_FILE left out."""
    named = re.findall(r"`([A-Z_]+)_FILE`", (ROOT / "README.md").read_text("utf-8"))
    assert set(named) == {name.upper() for name in SECRETS}
