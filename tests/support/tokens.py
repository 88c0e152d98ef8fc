"""A signing key and tokens for tests of the gateway alone, where no API signs any."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

ISSUER = AUDIENCE = "musclemap"


class Mint:
    """One ES256 key; signs what it is told, good or bad."""

    def __init__(self, kid: str = "test-1", clock: Callable[[], float] = time.time) -> None:
        self.kid = kid
        self._clock = clock
        self.key = generate_private_key(SECP256R1())
        jwk: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        self.jwks = orjson.dumps({"keys": [jwk | {"kid": kid, "alg": "ES256", "use": "sig"}]}).decode()

    def sign(self, claims: dict[str, Any], *, typ: str = "at+jwt", **headers: Any) -> str:
        """Any claims under any header."""
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"typ": typ, "kid": self.kid, **headers})

    def access(self, user: str = "u1", sid: str | None = None, typ: str = "at+jwt", **changes: Any) -> str:
        """An access token of 15 minutes; a claim that is changed to None is left out."""
        now = int(self._clock())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user,
            "sid": f"s-{user}" if sid is None else sid,
            "jti": "j",
            "iat": now,
            "exp": now + 900,
            "email": "a@example.org",
            "roles": ["user"],
            "tier": "free",
            "account_created_at": now - 10 * 86_400,
        } | changes
        return self.sign({name: value for name, value in claims.items() if value is not None}, typ=typ)

    def channel(self, user: str, channel: str, **changes: Any) -> str:
        """A channel token of ten minutes."""
        now = int(self._clock())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "channel": channel, "iat": now, "exp": now + 600}
        return self.sign(claims | changes, typ="channel+jwt")


def private_key() -> str:
    """A new key for JWT_PRIVATE_KEY, as PEM."""
    key = generate_private_key(SECP256R1())
    kind = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()
