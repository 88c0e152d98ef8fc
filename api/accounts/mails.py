"""What the mails say. Pure.

No word in them comes from whoever asked: a mail is no way to tell a stranger something in our name.
"""

from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Final, NamedTuple
from uuid import UUID

_IGNORE: Final = "If it was not you, do nothing: without the link nothing happens."
# By the kind of proof: the subject, what comes before the link, and the word by which the page knows the link.
_JOIN: Final = """\
Somebody, probably you, wants to join with this address. This link opens the account; it is good for an hour:"""
_RESET: Final = """\
Somebody, probably you, has forgotten the password of your account. This link sets a new one, and signs you out
everywhere; it is good for an hour:"""
_KNOWN: Final = """\
Somebody, probably you, wanted to join with this address, which has an account. Sign in there, or ask for a new
password:"""
_TEXTS: Final = {
    "join": ("Confirm your address", _JOIN, "verify"),
    "reset": ("A new password", _RESET, "reset"),
    "known": ("You have an account", _KNOWN, ""),
}


class Waiting(NamedTuple):
    """A mail that is to leave; `tries` with this one."""

    id: UUID
    kind: str
    email: str
    tries: int


def link_of(kind: str, page_url: str, token: str) -> str:
    """The link of a mail. The token stands behind #: no server, log or Referer hears it."""
    word = _TEXTS[kind][2]
    return f"{page_url}/#{word}={token}" if word else f"{page_url}/"


def message_of(kind: str, to: str, sender: str, link: str) -> EmailMessage:
    """The mail, without date and id. `sender`: MAIL_FROM."""
    subject, text, word = _TEXTS[kind]
    name, address = parseaddr(sender)
    message = EmailMessage()
    message["Subject"] = f"MuscleMap: {subject}"
    message["From"] = Address(name, addr_spec=address)
    message["To"] = Address(addr_spec=to)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers it by a machine
    message.set_content("\n\n".join([text, link, *([_IGNORE] if word else [])]) + "\n", cte="7bit")
    return message
