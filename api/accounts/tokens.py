"""Signing: the process's EC key, the tokens made with it, and the public set (JWKS) that verifies them."""

import contextlib
import hashlib
import hmac
import os
import secrets
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api.accounts.rules import REFRESH_TOKEN_BYTES, User, tier_at
from config import base64url
from config.ids import uuid7
from config.jwks import public_keys
from config.settings import Settings
from rt.auth.tokens import ACCESS_TYPE, CHANNEL_TYPE

ALGORITHM: Final = "ES256"
KEY_FILE: Final = "jwt-private.pem"


class Signer:
    """Makes access tokens. `kid` is the key's RFC 7638 thumbprint, so a new key never takes an old one's name."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, settings: Settings) -> None:
        self._key = key
        self._settings = settings
        self._public = public_jwk(key.public_key())
        self.kid: str = self._public["kid"]
        private = key.private_numbers().private_value.to_bytes(32, "big")
        # A key of its own for the succession of refresh tokens, so that the signing key serves one purpose.
        self.refresh_secret = hmac.digest(private, b"refresh token succession", "sha256")

    def access_token(self, user: User, family: UUID, now: datetime) -> str:
        """A signed token for `user`, valid from `now` for ACCESS_TOKEN_S; `sid` is the session's family."""
        issued = int(now.timestamp())
        claims = {
            "iss": self._settings.jwt_issuer,
            "aud": self._settings.jwt_audience,
            "sub": str(user.id),
            "sid": str(family),
            "jti": str(uuid7()),
            "iat": issued,
            "exp": issued + self._settings.access_token_s,
            "email": user.email,
            "roles": list(user.roles),
            "tier": tier_at(user, now),
            "presence": user.audience,
            "account_created_at": int(user.created_at.timestamp()),
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"kid": self.kid, "typ": ACCESS_TYPE})

    def channel_token(self, user: UUID, sid: str, channel: str, issued_at: int, expires_at: int) -> str:
        """A signed token by which `user` may hear `channel` (its wire name), while their session `sid` goes on. Times
        are unix seconds."""
        claims = {
            "iss": self._settings.jwt_issuer,
            "aud": self._settings.jwt_audience,
            "sub": str(user),
            "sid": sid,
            "channel": channel,
            "iat": issued_at,
            "exp": expires_at,
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"kid": self.kid, "typ": CHANNEL_TYPE})

    def key_set(self) -> dict[str, Any]:
        """The JWKS: this key first, then those that JWT_PUBLIC_KEYS adds (a key that was just replaced)."""
        keys = [self._public]
        if self._settings.jwt_public_keys:
            keys += [key for key in public_keys(self._settings.jwt_public_keys) if key["kid"] != self.kid]
        return {"keys": keys}


def new_token() -> str:
    """An opaque token of 256 random bits."""
    return secrets.token_urlsafe(REFRESH_TOKEN_BYTES)


def load_signer(settings: Settings) -> Signer:
    """The signer of JWT_PRIVATE_KEY or, in development, of the key in DATA_DIR, which is made once.

    Ends the process with one line when the key is none of P-256.
    """
    # On one line, as environment files and pipelines hold it, a PEM has `\\n` for each line's end.
    given = settings.jwt_private_key.get_secret_value().replace("\\r", "").replace("\\n", "\n")
    try:
        key = serialization.load_pem_private_key(given.encode() if given else _development_key(settings), None)
    except (ValueError, TypeError):
        sys.exit("bad setting JWT_PRIVATE_KEY: not an unencrypted private key in PEM form")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        sys.exit("bad setting JWT_PRIVATE_KEY: an EC key on the curve P-256 is needed (ES256)")
    return Signer(key, settings)


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The public key as a JWK (RFC 7517) with its thumbprint as `kid`."""
    numbers = key.public_numbers()
    x, y = (base64url.encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    # RFC 7638, 3.2: the required members in the order of their names, without blanks.
    thumbprint = hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest()
    kid = base64url.encode(thumbprint)
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "alg": ALGORITHM, "use": "sig"}


def _development_key(settings: Settings) -> bytes:
    path = settings.data_dir / KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        _write_new_key(path)
    return path.read_bytes()


def _write_new_key(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Written whole under another name and then linked: of two processes that start at once, one key wins, and
    # nobody reads half a file.
    draft = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        os.link(draft, path)
    finally:
        draft.unlink()
