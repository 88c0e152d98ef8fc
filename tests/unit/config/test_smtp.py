"""SMTP_URL: which server it names, and what it must not be."""

import pytest
from pydantic import SecretStr, ValidationError

from config.settings import Settings
from config.smtp import MailServer, mail_server


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://u:p%40ss@mail.example", MailServer("mail.example", 465, "implicit", "u", "p@ss")),
        ("smtp://u:p@mail.example:587?starttls", MailServer("mail.example", 587, "starttls", "u", "p")),
        ("smtp://mail.example/", MailServer("mail.example", 25, "", "", "")),
        ("smtp://u:p@localhost:1025", MailServer("localhost", 1025, "", "u", "p")),
        ("smtp://u:p@[::1]", MailServer("::1", 25, "", "u", "p")),
    ],
)
def test_it_names_a_server(url: str, expected: MailServer) -> None:
    assert mail_server(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("mail.example", "http://mail.example", "smtp://", "smtp://mail.example:99999", "smtp://mail.example?tls"),
        *("smtp://mail.example/box", "smtp://u:secret@mail.example", "smtp://u:secret@192.0.2.1:25"),
    ],
)
def test_what_is_none_or_would_tell_its_password_is_refused_without_a_word_of_it(url: str) -> None:
    """Seen failing with a password that went out in the clear."""
    with pytest.raises(ValidationError) as refused:
        Settings(smtp_url=SecretStr(url), mail_from="a@example.org")
    (error,) = refused.value.errors(include_input=False)
    assert "secret" not in error["msg"]


def test_a_sender_is_needed_and_the_page_is_where_settings_say() -> None:
    server = SecretStr("smtps://mail.example")
    for sender in ("", "nobody", "a@", "a@b@c", "Somebody <>"):
        with pytest.raises(ValidationError):
            Settings(smtp_url=server, mail_from=sender)
    with pytest.raises(ValidationError):
        Settings(public_url="muscles.example")
    assert Settings(public_url="https://muscles.example/").page_url == "https://muscles.example"
    assert Settings(allowed_origins=("https://app.example",)).page_url == "https://app.example"
    assert Settings().page_url == "http://127.0.0.1:8000"
    assert [Settings(environment=e).mails for e in ("development", "production")] == [True, False]
    assert Settings(environment="production", smtp_url=server, mail_from="a@example.org").mails
