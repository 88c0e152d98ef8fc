"""Signed-in people for a load: a key pair of the run, its public set, and access tokens as the API makes them."""

import json
import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm


class Identity:
    """One signing key; give `jwks` to the gateway as JWT_PUBLIC_KEYS."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public: dict[str, Any] = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self.kid = "load"
        self.jwks = json.dumps({"keys": [{**public, "kid": self.kid, "alg": "ES256", "use": "sig"}]})

    def user_id(self, number: int) -> str:
        """The id of the n-th person, the same in every run."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"load-{number}"))

    def access_token(self, number: int, life_s: int = 3600) -> str:
        """An access token of the n-th person."""
        now = int(time.time())
        claims = {
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
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self.kid, "typ": "at+jwt"})
