"""Who asks: the access token of an Authorization header, verified once and then remembered until it ends."""

import time
from collections import OrderedDict
from collections.abc import Callable

import orjson

from api.accounts.tokens import Signer
from api.errors import Unauthenticated
from config.limits import TOKENS_KEPT
from config.settings import Settings
from rt.tokens import Access, Keys, TokenExpired, TokenInvalid, verify_access


class Authenticator:
    """Callable: the header's value to whoever it names, or None where nothing is said."""

    def __init__(self, signer: Signer, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._keys = Keys.from_jwks(orjson.dumps(signer.key_set()))
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._clock = clock
        self._kept: OrderedDict[str, Access] = OrderedDict()

    def __call__(self, authorization: str | None) -> Access | None:
        """Raises Unauthenticated for any header that is no good token: nobody is made anonymous silently."""
        if authorization is None:
            return None
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Authorization must be a Bearer token")
        return self._verified(token.strip())

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
        self._kept[token] = access
        if len(self._kept) > TOKENS_KEPT:
            self._kept.popitem(last=False)
        return access
