"""A real SMTP server for tests (aiosmtpd): with TLS and a password, and able to refuse."""

import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config.embedded.ports import HOST, free_port

USER: Final = "mailer"
PASSWORD: Final = "p@ss:word/?"
ARRIVES_S: Final = 20.0
_LINK: Final = re.compile(r"^(https?://\S+/#(verify|reset)=([\w-]{43}))\r?$", re.MULTILINE)


@dataclass
class Mailbox:
    """What came, oldest first; `answer` is what the server says to a recipient."""

    port: int
    certificate: Path
    answer: str = "250 OK"
    mails: list[EmailMessage] = field(default_factory=list)
    tried: int = 0

    @property
    def url(self) -> str:
        """SMTP_URL of it."""
        return f"smtp://{USER}:p%40ss%3Aword%2F%3F@localhost:{self.port}?starttls"

    def settings(self, page: str) -> dict[str, str]:
        """The environment of an API that mails here, links to this page."""
        sender = "MuscleMap <no-reply@example.org>"
        trust = str(self.certificate)
        return {"SMTP_URL": self.url, "MAIL_FROM": sender, "PUBLIC_URL": page, "SSL_CERT_FILE": trust}

    def to(self, address: str, count: int = 1) -> list[EmailMessage]:
        """The mails to an address, once there are so many."""
        end = time.monotonic() + ARRIVES_S
        while len(found := [mail for mail in list(self.mails) if mail["To"] == address]) < count:
            assert time.monotonic() < end, f"{len(found)} of {count} mails to {address}"
            time.sleep(0.02)
        return found

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: Any, __: Any, envelope: Envelope, address: str, ___: Any
    ) -> str:
        """A recipient."""
        self.tried += 1
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, _: Any, __: Any, envelope: Envelope) -> str:  # noqa: N802
        """A mail, whole."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        assert [mail["To"]] == envelope.rcpt_tos
        self.mails.append(mail)
        return "250 OK"


def link_in(mail: EmailMessage) -> tuple[str, str, str]:
    """The link of a mail, its word and its token."""
    match = _LINK.search(mail.get_content())
    assert match, mail.get_content()
    return match[1], match[2], match[3]


@contextmanager
def mailbox(folder: Path) -> Iterator[Mailbox]:
    """A server that speaks STARTTLS and wants a password. SSL_CERT_FILE must name its certificate."""
    certificate, context = _certificate(folder)
    box = Mailbox(free_port(), certificate)

    def authenticate(*words: Any) -> AuthResult:
        given = words[-1]
        good = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good)

    server = Controller(
        box,
        hostname=HOST,
        port=box.port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    server.start()
    try:
        yield box
    finally:
        server.stop()


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mails")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(1))
        .not_valid_after(now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    certificate, private = folder / "mails.crt", folder / "mails.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    return certificate, context
