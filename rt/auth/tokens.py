"""What a client shows to be let in: access tokens, channel tokens (JWT, ES256) and resume tickets (a keyed hash). Pure.

Claims are checked here and not by the library, so that time is an argument. Only ES256 is accepted, keys come from a
fixed set by `kid`; anything in the header that would bring its own key is never looked at.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from hmac import compare_digest
from sys import intern
from typing import Any, Final, NamedTuple

import jwt
import msgspec
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from config import base64url
from config.limits import CHANNEL_TOKEN_S_MAX, CLOCK_LEEWAY_S, TOKEN_CHARS_MAX
from rt.wire.audience import Audience
from rt.wire.channels import is_id

ACCESS_TYPE: Final = "at+jwt"  # RFC 9068, 2.1
CHANNEL_TYPE: Final = "channel+jwt"
TIERS: Final = frozenset({"free", "premium"})  # what a signed-in client may be
# Strict: the library would skip padding and foreign characters, and one token must have one spelling.
_COMPACT = re.compile(r"[A-Za-z0-9_-]{1,1000}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
_AUDIENCES: Final[dict[str, Audience]] = {"everyone": "everyone", "followers": "followers", "nobody": "nobody"}
_NUMBER_MAX: Final = 1 << 53
_SHA256: Final = ECDSA(SHA256())


class TokenInvalid(Exception):
    """The token is not one that this installation gave for this purpose."""


class TokenExpired(TokenInvalid):
    """The token was good once; its time is over."""


class TokenKeyUnknown(TokenInvalid):
    """The token names a key that is not in the set; a set that is fetched again may have it."""


class _Jwks(msgspec.Struct):
    keys: list[dict[str, Any]]


class Keys(NamedTuple):
    """Public keys by `kid`."""

    by_kid: Mapping[str, EllipticCurvePublicKey]

    @classmethod
    def from_jwks(cls, text: str | bytes) -> "Keys":
        """The P-256 keys of a JWKS document; others are left out. Raises ValueError where it is no JWKS."""
        found: dict[str, EllipticCurvePublicKey] = {}
        for entry in msgspec.json.decode(text, type=_Jwks).keys:
            kid = entry.get("kid")
            if entry.get("kty") != "EC" or entry.get("crv") != "P-256":
                continue
            try:
                key = jwt.PyJWK(entry, algorithm="ES256").key
            except jwt.PyJWTError:
                continue
            if isinstance(kid, str) and isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
                found[kid] = key
        return cls(found)


class Access(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who a signed-in client is. Times are unix seconds; `issued_at` decides whether a revocation covers it."""

    user: str
    sid: str
    roles: tuple[str, ...]
    tier: str
    expires_at: int
    issued_at: int
    presence_audience: Audience
    account_created_at: int


class ChannelGrant(NamedTuple):
    """A channel token: `user` may read `channel` (its wire name) until `expires_at`, unless what was given out up to
    `issued_at`, or to the session `sid`, was taken back (rt/auth/revoked.py). `signed_by`: `{namespace}:{kid}` of the
    app that gave it, to whom has no session of ours."""

    user: str
    channel: str
    expires_at: int
    issued_at: int
    signed_by: str = ""
    sid: str = ""


def verify_access(token: str, keys: Keys, issuer: str, audience: str, now: float) -> Access:
    """The claims of an access token. Raises TokenExpired, TokenKeyUnknown or TokenInvalid."""
    claims = verified(token, keys, ACCESS_TYPE, issuer, audience)
    expires_at, issued_at = _times(claims, now)
    roles = claims.get("roles")
    presence = claims.get("presence", "everyone")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise TokenInvalid("roles")
    if not isinstance(presence, str) or presence not in _AUDIENCES:
        raise TokenInvalid("presence")
    tier = text_of(claims, "tier")
    if tier not in TIERS:
        raise TokenInvalid("tier")
    return Access(
        user=id_of(claims, "sub"),
        sid=id_of(claims, "sid"),
        roles=tuple(roles),
        tier=intern(tier),  # a few words for a hundred thousand sockets
        expires_at=expires_at,
        issued_at=issued_at,
        presence_audience=_AUDIENCES[presence],
        account_created_at=number_of(claims, "account_created_at") if "account_created_at" in claims else issued_at,
    )


def verify_channel(token: str, keys: Keys, issuer: str, audience: str, now: float) -> ChannelGrant:
    """The claims of a channel token, which lives at most CHANNEL_TOKEN_S_MAX. Raises as `verify_access`."""
    claims = verified(token, keys, CHANNEL_TYPE, issuer, audience)
    expires_at, issued_at = _times(claims, now)
    if expires_at - issued_at > CHANNEL_TOKEN_S_MAX:
        raise TokenInvalid("life")
    sid = id_of(claims, "sid") if "sid" in claims else ""  # an API of before says none
    return ChannelGrant(id_of(claims, "sub"), text_of(claims, "channel"), expires_at, issued_at, sid=sid)


class Ticket(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a resume ticket says: the session as it was, and until when (unix s) it may be taken up again."""

    access: Access
    until: int


def sign_ticket(ticket: Ticket, secret: bytes) -> str:
    """The ticket as text: `{payload}.{mac}`, both base64url."""
    payload = msgspec.msgpack.encode(ticket)
    return f"{base64url.encode(payload)}.{base64url.encode(_mac(secret, payload))}"


def verify_ticket(text: str, secrets: tuple[bytes, ...], now: float) -> Ticket:
    """The ticket, signed by any of `secrets`. Raises TokenExpired or TokenInvalid."""
    if len(text) > TOKEN_CHARS_MAX:
        raise TokenInvalid("length")
    head, _, tail = text.partition(".")
    try:
        payload, mac = base64url.decode(head), base64url.decode(tail)
    except ValueError:
        raise TokenInvalid("form") from None
    if not any(compare_digest(_mac(secret, payload), mac) for secret in secrets):
        raise TokenInvalid("signature")
    try:
        ticket = _ticket_decoder.decode(payload)
    except msgspec.DecodeError:  # of a version that packed it otherwise
        raise TokenInvalid("form") from None
    if now >= ticket.until:
        raise TokenExpired("until")
    return ticket


_ticket_decoder = msgspec.msgpack.Decoder(Ticket)


def _mac(secret: bytes, payload: bytes) -> bytes:
    # Keyed BLAKE2 (RFC 7693, 2.9), whose key has at most 64 bytes: as strong as HMAC-SHA-256, a tenth of its CPU.
    return blake2b(payload, key=blake2b(secret).digest(), digest_size=32).digest()


def unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims as a token says them, to see whose it may be: nothing is true yet. Raises TokenInvalid."""
    if len(token) > TOKEN_CHARS_MAX or not _COMPACT.fullmatch(token):
        raise TokenInvalid("form")
    head, body, _ = token.split(".")
    try:
        header, claims = orjson.loads(base64url.decode(head)), orjson.loads(base64url.decode(body))
    except ValueError:
        raise TokenInvalid("form") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise TokenInvalid("form")
    return header, claims


def verified(token: str, keys: Keys, typ: str, issuer: str, audience: str) -> dict[str, Any]:
    """The claims of a token of this type that one of `keys` signed. Raises TokenKeyUnknown or TokenInvalid."""
    if len(token) > TOKEN_CHARS_MAX or not _COMPACT.fullmatch(token):
        raise TokenInvalid("form")
    signed, _, tail = token.rpartition(".")
    head, _, body = signed.partition(".")
    try:
        header = orjson.loads(base64url.decode(head))
        payload, signature = base64url.decode(body), base64url.decode(tail)
    except ValueError:
        raise TokenInvalid("header") from None
    if not isinstance(header, dict) or header.get("alg") != "ES256" or header.get("typ") != typ or "crit" in header:
        raise TokenInvalid("header")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise TokenInvalid("kid")
    key = keys.by_kid.get(kid)
    if key is None:
        raise TokenKeyUnknown("kid")
    # RFC 7518, 3.4: the two numbers of the signature side by side, 32 bytes each.
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), signed.encode(), _SHA256)
        claims = orjson.loads(payload)
    except (InvalidSignature, ValueError):
        raise TokenInvalid("signature") from None
    if not isinstance(claims, dict) or claims.get("iss") != issuer:
        raise TokenInvalid("iss")
    named = claims.get("aud")
    if named != audience and not (isinstance(named, list) and audience in named):
        raise TokenInvalid("aud")
    return claims


def _times(claims: dict[str, Any], now: float) -> tuple[int, int]:
    expires_at, issued_at = number_of(claims, "exp"), number_of(claims, "iat")
    if issued_at > now + CLOCK_LEEWAY_S or ("nbf" in claims and number_of(claims, "nbf") > now + CLOCK_LEEWAY_S):
        raise TokenInvalid("not yet")
    if now >= expires_at:
        raise TokenExpired("exp")
    return expires_at, issued_at


def number_of(claims: dict[str, Any], name: str) -> int:
    """A claim that is a whole number. Raises TokenInvalid."""
    value = claims.get(name)
    if type(value) is not int or not 0 <= value < _NUMBER_MAX:
        raise TokenInvalid(name)
    return value


def text_of(claims: dict[str, Any], name: str) -> str:
    """A claim that is a text. Raises TokenInvalid."""
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > 200:
        raise TokenInvalid(name)
    return value


def id_of(claims: dict[str, Any], name: str) -> str:
    """An id in the alphabet of channel names, so that it separates nothing in what it is packed into."""
    value = text_of(claims, name)
    if not is_id(value):
        raise TokenInvalid(name)
    return value
