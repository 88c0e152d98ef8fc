"""Tokens that are let in, and every known way of making one that must not be."""

import base64
import hashlib
import hmac
from hashlib import blake2b
from typing import Any

import jwt
import msgspec
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from config.limits import CLOCK_LEEWAY_S
from rt.auth.tokens import (
    TIERS,
    Access,
    Keys,
    Ticket,
    TokenExpired,
    TokenInvalid,
    TokenKeyUnknown,
    sign_ticket,
    verify_access,
    verify_channel,
    verify_ticket,
)
from rt.presence.members import Member, pack, unpack
from tests.support.tokens import AUDIENCE, ISSUER, Mint

NOW = 1_800_000_000.0
MINT = Mint(clock=lambda: NOW)
KEYS = Keys.from_jwks(MINT.jwks)


def check(token: str, now: float = NOW) -> Access:
    return verify_access(token, KEYS, ISSUER, AUDIENCE, now)


def test_a_good_token_says_who_it_is() -> None:
    access = check(MINT.access("u7", presence="followers"))
    assert (access.user, access.sid, access.roles, access.tier) == ("u7", "s-u7", ("user",), "free")
    assert access.presence_audience == "followers"
    assert access.account_created_at < NOW - 86_400


def test_time_is_an_argument() -> None:
    token = MINT.access()
    with pytest.raises(TokenExpired):
        check(token, NOW + 2_000)
    with pytest.raises(TokenInvalid):
        check(token, NOW - 3_600)
    assert check(token, NOW - 120).user == "u1"  # by a clock that is two minutes behind


def _hs256_with_the_public_key() -> str:
    secret = MINT.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = _b64(orjson.dumps({"alg": "HS256", "typ": "at+jwt", "kid": MINT.kid}))
    body = MINT.access().split(".")[1]
    return f"{head}.{body}.{_b64(hmac.digest(secret, f'{head}.{body}'.encode(), hashlib.sha256))}"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _none(alg: str) -> str:
    return f"{_b64(orjson.dumps({'alg': alg, 'typ': 'at+jwt', 'kid': MINT.kid}))}.{MINT.access().split('.')[1]}."


def _with_signature(signature: bytes) -> str:
    head, body, _ = MINT.access().split(".")
    return f"{head}.{body}.{_b64(signature)}"


def _foreign_curve() -> str:
    key = generate_private_key(SECP384R1())
    return jwt.encode({"sub": "u"}, key, algorithm="ES384", headers={"typ": "at+jwt", "kid": MINT.kid})


BAD: dict[str, str] = {
    "no algorithm": _none("none"),
    "no algorithm, spelled otherwise": _none("nOnE"),
    "public key as secret": _hs256_with_the_public_key(),
    "another curve": _foreign_curve(),
    "zero signature": _with_signature(bytes(64)),
    "short signature": _with_signature(bytes(63)),
    "another key under the same kid": Mint(clock=lambda: NOW).access(),
    "key in the header": MINT.sign({"sub": "u"}, jwk={"kty": "EC"}, kid="x"),
    "critical header": MINT.sign({"sub": "u"}, crit=["b64"]),
    "kid is a path": MINT.sign({"sub": "u"}, kid="../../dev/null"),
    "wrong type of token": MINT.sign({"sub": "u"}, typ="JWT"),
    "channel token as access token": MINT.channel("u", "community"),
    "all the right claims under another type": MINT.access(typ="channel+jwt"),
    "all the right claims under no type of ours": MINT.access(typ="JWT"),
    "wrong issuer": MINT.access(iss="else"),
    "wrong audience": MINT.access(aud="else"),
    "no issuer": MINT.access(iss=None),
    "exp as text": MINT.access(exp="9999999999"),
    "exp as float": MINT.access(exp=9999999999.5),
    "exp beyond numbers": MINT.access(exp=2**63),
    "no exp": MINT.access(exp=None),
    "not before later": MINT.access(nbf=int(NOW) + CLOCK_LEEWAY_S + 1),
    "issued in the future": MINT.access(iat=int(NOW) + CLOCK_LEEWAY_S + 1),
    "no subject": MINT.access(sub=None),
    "subject is a number": MINT.access(sub=7),
    "no session": MINT.access(sid=""),
    "roles is text": MINT.access(roles="admin"),
    "unknown audience setting": MINT.access(presence="all"),
    "padding": MINT.access() + "=",
    "white space": MINT.access() + " ",
    "line end": MINT.access() + "\n",
    "foreign characters inside": MINT.access().replace(".", ".!", 1),
    "four parts": MINT.access() + ".a",
    "ten thousand characters": "a" * 10_000,
    "nothing": "",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tokens_are_refused(name: str) -> None:
    """Failed when any token that this installation signed was taken for an access token."""
    with pytest.raises(TokenInvalid):
        check(BAD[name])


def test_an_unknown_key_is_told_apart() -> None:
    with pytest.raises(TokenKeyUnknown):
        check(Mint("test-2").access())


def test_keys_that_are_no_p256_are_left_out() -> None:
    other: dict[str, Any] = {"keys": [{"kty": "RSA", "kid": "r"}, {"kty": "EC", "crv": "P-256", "kid": "x"}, {}]}
    assert Keys.from_jwks(orjson.dumps(other)).by_kid == {}
    with pytest.raises(ValueError, match="keys"):
        Keys.from_jwks("{}")


def test_channel_tokens() -> None:
    grant = verify_channel(MINT.channel("u", "profile:x"), KEYS, ISSUER, AUDIENCE, NOW)
    assert (grant.user, grant.channel) == ("u", "profile:x")
    with pytest.raises(TokenInvalid):
        verify_channel(MINT.access(), KEYS, ISSUER, AUDIENCE, NOW)
    with pytest.raises(TokenInvalid):  # longer than 15 minutes
        verify_channel(MINT.channel("u", "profile:x", exp=int(NOW) + 5_000), KEYS, ISSUER, AUDIENCE, NOW)


def test_resume_tickets() -> None:
    ticket = Ticket(check(MINT.access("u9")), int(NOW) + 100)
    text = sign_ticket(ticket, b"a" * 32)
    assert verify_ticket(text, (b"b" * 32, b"a" * 32), NOW) == ticket
    for bad in (text[:-1] + ("A" if text[-1] != "A" else "B"), text + "=", "x" + text, "", ".", "a.b"):
        with pytest.raises(TokenInvalid):
            verify_ticket(bad, (b"a" * 32,), NOW)
    with pytest.raises(TokenExpired):
        verify_ticket(text, (b"a" * 32,), NOW + 101)
    with pytest.raises(TokenInvalid):
        verify_ticket(text, (b"b" * 32,), NOW)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
CLAIMS = ("iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "email", "roles", "tier", "presence")


@given(st.dictionaries(st.sampled_from((*CLAIMS, "account_created_at")), ANYTHING, min_size=1, max_size=4))
@example({"sub": "a b 0 - ons"})
@example({"sub": "line\nbreak"})
@example({"sid": "\x00"})
@example({"tier": "gold"})
@example({"tier": ["free"]})
def test_whatever_is_signed_is_an_access_or_invalid(changes: dict[str, Any]) -> None:
    """Signed by the right key. What is let in has one meaning in Redis: a member and its value, unpacked, are the same.

    Seen failing with a `sub` of several words: `a b 0 - ons` passed, and was read as user `a` of gateway `b`."""
    try:
        token = MINT.access(**changes)
    except (TypeError, jwt.PyJWTError):  # the library that signs refuses it
        return
    try:
        access = check(token)
    except TokenInvalid:
        return
    value = pack(Member("c", access.user, "", 0, "online", access.presence_audience, False, 120), "gw")
    assert unpack(value).user == access.user
    assert access.tier in TIERS
    assert sign_ticket(Ticket(access, 1), b"s" * 32)


@given(ANYTHING)
def test_a_ticket_that_another_version_signed_is_invalid(content: Any) -> None:
    """Seen failing with a ValidationError of what was packed otherwise: its socket closed 1011."""
    try:
        payload = msgspec.msgpack.encode(content)
    except OverflowError:  # a number that has no form there
        return
    mac = blake2b(payload, key=blake2b(b"s" * 32).digest(), digest_size=32).digest()
    with pytest.raises(TokenInvalid):
        verify_ticket(f"{_b64(payload)}.{_b64(mac)}", (b"s" * 32,), NOW)
