"""What an account, a password, an e-mail address and a session may be. Pure.

The refresh tokens of one sign-in form a family, the session. Each use hands out the successor; only the newest token
is current. The one before it may be presented again for as long as it lives, since the answer that carried the newest
may have been lost: it gets the same successor again. Once that was used there is a newer one, and anything older than
the two has been copied: the session ends (RFC 9700, 4.14.2).
"""

import hashlib
import hmac
import re
import unicodedata
from datetime import datetime
from enum import Enum
from typing import Final
from uuid import UUID

import msgspec

from api.accounts.names import normal_name
from config import base64url
from config.errors import BadInput
from config.limits import (
    EMAIL_CHARS_MAX,
    PASSWORD_CHARS_MAX,
    PASSWORD_CHARS_MIN,
)
from rt.auth.revoked import EVERYBODY, Revocation
from rt.wire.channels import profile_channel

REFRESH_TOKEN_BYTES: Final = 32
COOKIE: Final = "refresh_token"

# One @, a dot-atom before it, a domain with a dot behind it (RFC 5321, 4.1.2, without quoted forms and literals).
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
_LOCAL_PART_CHARS_MAX: Final = 64


class User(msgspec.Struct, frozen=True):
    """A person's account. `account_id` is the pseudonym that ledger and events know."""

    id: UUID
    account_id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    tier: str
    audience: str
    created_at: datetime
    time_zone: str = "UTC"
    archetype_id: UUID | None = None
    xp: int = 0
    level: int = 1
    subscribed_until: datetime | None = None


def tier_at(user: User, now: datetime) -> str:
    """The tier by which a token is made: while subscribed `premium`, else what the account was given."""
    subscribed = user.subscribed_until is not None and user.subscribed_until > now
    return "premium" if subscribed else user.tier


class Registration(msgspec.Struct, frozen=True):
    """A wish to join, checked."""

    email: str
    password: str
    name: str


class RefreshToken(msgspec.Struct, frozen=True):
    """One refresh token as it is stored. Generations count up in a session; `newest` is its newest one."""

    session_id: UUID
    user_id: UUID
    generation: int
    newest: int
    expires_at: datetime
    session_ended: bool


class Presented(Enum):
    """What a presented refresh token is."""

    CURRENT = "current"
    RETRIED = "retried"  # the previous one, whose successor was never used: its answer was lost
    STOLEN = "stolen"  # its successor was used, and somebody uses it again
    DEAD = "dead"  # expired, or its session has ended


def judge(token: RefreshToken, now: datetime) -> Presented:
    """What the presented token is, at `now`. The caller holds the session's row, so that uses come one by one."""
    if token.session_ended or now >= token.expires_at:
        return Presented.DEAD
    if token.generation == token.newest:
        return Presented.CURRENT
    # The use of a token makes the next generation: the newest has never been used.
    return Presented.RETRIED if token.generation == token.newest - 1 else Presented.STOLEN


def successor(token: str, secret: bytes) -> str:
    """The token that replaces `token`: 256 bits that only the holder of `secret` can make.

    Being a function of the old one, it is the same for each of several requests that present the old one at once
    (two tabs, a repeated request): all of them hold the one living token, and the chain never forks.
    """
    return base64url.encode(hmac.digest(secret, token.encode(), "sha256"))


def reading_ended(owner: UUID, reader: UUID, void_before: int) -> Revocation:
    """Channel tokens for a profile that were given out up to `void_before` (unix s) are void: those of a reader or,
    where that is the owner, of everybody else."""
    who = EVERYBODY if reader == owner else str(reader)
    return Revocation("channel", f"{profile_channel(str(owner)).wire} {who}", float(void_before))


def audience_chosen(user: UUID, audience: str, at: datetime) -> Revocation:
    """A user has chosen who may know of their presence."""
    return Revocation("audience", f"{user} {audience}", at.timestamp())


def registration(email: str, password: str, name: str) -> Registration:
    """The checked wish; the password as it is hashed. Raises BadInput."""
    return Registration(normal_email(email), new_password(password), normal_name(name))


def new_password(password: str) -> str:
    """A password that somebody chooses, as it is hashed. Raises BadInput."""
    chosen = password if len(password) > PASSWORD_CHARS_MAX else spellings(password)[0]
    if not PASSWORD_CHARS_MIN <= len(chosen) <= PASSWORD_CHARS_MAX:
        raise BadInput(f"Password: between {PASSWORD_CHARS_MIN} and {PASSWORD_CHARS_MAX} characters", "password")
    _encodable("password", password)
    return chosen


def spellings(password: str) -> tuple[str, ...]:
    """What a typed password may have been hashed as, the first one today: NFKC, so that every keyboard's form of it is
    the same (RFC 8265, 4.2, without its map of blanks), and, where that differs, as typed: so it was before.

    The caller bounds its length first.
    """
    normal = unicodedata.normalize("NFKC", password)
    return (normal,) if normal == password else (normal, password)


def folded(email: str) -> str:
    """No outer blanks, lower case: the form in which addresses are compared, also of what is none."""
    return email.strip().lower()


def normal_email(email: str) -> str:
    """The address in the one form that is stored and compared (`folded`). Raises BadInput where it is none."""
    trimmed = email.strip()
    local = trimmed.partition("@")[0]
    if len(trimmed) > EMAIL_CHARS_MAX or len(local) > _LOCAL_PART_CHARS_MAX or not _EMAIL.fullmatch(trimmed):
        raise BadInput("Email: not an e-mail address", "email")
    return folded(trimmed)


def token_hash(token: str) -> bytes:
    """What is stored of a token, of a session or a mail. It has 256 random bits, so a plain SHA-256 cannot be searched
    backwards."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def cookie_name(host: str, *, secure: bool) -> str:
    """The refresh cookie's name for pages that reach us as `host` (the Host header).

    Browsers share cookies between the ports of a host, so that each port has its own: two installations on one machine
    do not sign each other out. With `secure` the prefix makes browsers refuse it from any other host (RFC 6265bis,
    4.1.3.2), whose path must be / then.
    """
    port = re.search(r":([0-9]{1,5})$", host)
    name = f"{COOKIE}_{port[1]}" if port else COOKIE
    return f"__Host-{name}" if secure else name


def may_use_cookie(origin: str | None, fetch_site: str | None, content_type: str | None, allowed: bool) -> bool:
    """Whether a request may act by its cookie alone (cross-site request forgery). `allowed`: its Origin is ours.

    Browsers send Origin with every POST, also the ones that a foreign form starts, so a foreign one or `null` is
    refused. Without Origin the fetch metadata decide; without both it is no browser of today, and then only what a
    form cannot send (JSON, or no body and no type at all) is accepted.
    """
    if origin is not None:
        return allowed
    if fetch_site is not None:
        return fetch_site in ("same-origin", "none")
    return content_type is None or content_type.partition(";")[0].strip().lower() == "application/json"


def _encodable(field: str, text: str) -> None:
    # Lone surrogates arrive through JSON escapes; neither UTF-8 nor PostgreSQL has them. NUL is only PostgreSQL's.
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInput("Not valid Unicode", field) from None
    if "\0" in text:
        raise BadInput("A NUL character cannot be kept", field)
