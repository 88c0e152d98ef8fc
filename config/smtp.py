"""A mail server as SMTP_URL names it. Pure."""

from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from config.addresses import is_inside, networks

_PORTS: Final = {"smtp": 25, "smtps": 465}
_HERE: Final = networks(("127.0.0.0/8", "::1"))


class MailServer(NamedTuple):
    """`tls`: from the first byte (smtps), by STARTTLS (then nothing is said before it), or not at all."""

    host: str
    port: int
    tls: str  # "implicit", "starttls" or ""
    user: str
    password: str


def mail_server(url: str) -> MailServer:
    """What `smtp://user:password@host:587?starttls` names. Raises ValueError, which says nothing of the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("must be smtp://host:port or smtps://host:port") from None
    words = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or words.keys() - {"starttls"}:
        raise ValueError("must be smtps://user:password@host or smtp://user:password@host:587?starttls")
    tls = "implicit" if parts.scheme == "smtps" else "starttls" if "starttls" in words else ""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if password and not tls and parts.hostname != "localhost" and not is_inside(parts.hostname, _HERE):
        raise ValueError("would send its password in the clear: use smtps:// or ?starttls")
    return MailServer(parts.hostname, port or _PORTS[parts.scheme], tls, user, password)
