"""Who asks: the access token of an Authorization header, verified once and then remembered until it ends.

Whether its session has been ended is asked each time, by the rule of the gateways (rt/auth/revoked.py).
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from uuid import UUID

import orjson

from api.accounts.tokens import Signer
from config.errors import Unauthenticated
from config.settings import Settings
from rt.auth.tokens import Access, Keys, TokenExpired, TokenInvalid, verify_access

TOKENS_KEPT: Final = 10_000  # verified access tokens remembered, so that ES256 (96 µs) is paid once each


class Authenticator:
    """Callable: the header's value to whoever it names, or None where nothing is said."""

    def __init__(
        self,
        signer: Signer,
        settings: Settings,
        is_revoked: Callable[[Access], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._is_revoked = is_revoked
        self._keys = Keys.from_jwks(orjson.dumps(signer.key_set()))
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._clock = clock
        self._kept: OrderedDict[str, Access] = OrderedDict()

    def __call__(self, authorization: str | None) -> Access | None:
        """Raises Unauthenticated for any header that is no good token: nobody is made anonymous silently; RetryLater
        while nobody knows who was signed out."""
        if authorization is None:
            return None
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Authorization must be a Bearer token")
        access = self._verified(token.strip())
        if self._is_revoked(access):
            raise Unauthenticated("The session has ended; please sign in")
        return access

    def _verified(self, token: str) -> Access:
        now = self._clock()
        kept = self._kept.get(token)
        if kept is not None and now < kept.expires_at:
            self._kept.move_to_end(token)
            return kept
        try:
            access = verify_access(token, self._keys, self._issuer, self._audience, now)
        except TokenExpired:
            self._kept.pop(token, None)
            raise Unauthenticated("The access token has expired") from None
        except TokenInvalid:
            raise Unauthenticated("The access token is not valid") from None
        if not (_is_id(access.user) and _is_id(access.sid)):
            raise Unauthenticated("The access token is not valid")
        self._kept[token] = access
        if len(self._kept) > TOKENS_KEPT:
            self._kept.popitem(last=False)
        return access


def _is_id(text: str) -> bool:
    """Whether it is an id as this API makes them, in its one spelling: a session is ended by its spelling."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
