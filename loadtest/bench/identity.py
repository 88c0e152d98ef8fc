"""Signed-in people for a load: a key pair of the run, its public set, and access tokens as the API makes them."""

import json
import time
import uuid
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

HMAC_KEY: Final = "a key of benchmarks only, for nothing else"


class Identity:
    """One signing key; give `jwks` to the gateway as JWT_PUBLIC_KEYS, or `pem` to another server."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public: dict[str, Any] = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self.kid = "load"
        self.pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.jwks = json.dumps({"keys": [{**public, "kid": self.kid, "alg": "ES256", "use": "sig"}]})

    def user_id(self, number: int) -> str:
        """The id of the n-th person, the same in every run."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"load-{number}"))

    def access_token(self, number: int, life_s: int = 3600) -> str:
        """An access token of the n-th person."""
        return jwt.encode(
            self._claims(number, life_s), self._key, algorithm="ES256", headers={"kid": self.kid, "typ": "at+jwt"}
        )

    def hmac_token(self, number: int, life_s: int = 3600) -> str:
        """The same claims by HMAC, which this product does not take; peers do (loadtest/peers/centrifugo.json)."""
        return jwt.encode(self._claims(number, life_s), HMAC_KEY, algorithm="HS256")

    def _claims(self, number: int, life_s: int) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": "musclemap",
            "aud": "musclemap",
            "sub": self.user_id(number),
            "sid": str(uuid.uuid4()),
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + life_s,
            "email": f"load-{number}@example.com",
            "roles": [],
            "tier": "free",
            "presence": "everyone",
            "account_created_at": now - 30 * 86_400,
        }
