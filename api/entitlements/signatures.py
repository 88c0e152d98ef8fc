"""Whether the payment provider sent it: the check of its own library, for the secrets of STRIPE_WEBHOOK_SECRET.

The library brings its HTTP client along (0.4 s and 23 MB), so it is imported by the first event that may be one, in a
thread, and by no process that gets none.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from config.errors import BadInput

SIGNATURE_AGE_S_MAX: Final = 300
_HEADER: Final = re.compile(r"t=[0-9]{1,12}(,[a-z0-9]{1,8}=[0-9A-Za-z]{1,128}){1,8}")  # before anything is made of it


class Signatures:
    """Several secrets are good at once while one replaces another."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = secrets

    async def check(self, body: bytes, header: str | None) -> None:
        """Raises BadInput unless one of the secrets has signed this body within the last SIGNATURE_AGE_S_MAX."""
        if header is None or not _HEADER.fullmatch(header):
            raise BadInput("Stripe-Signature is missing or not one")
        fits = _check() if _check.cache_info().currsize else await asyncio.to_thread(_check)
        if not any(fits(body, header, secret) for secret in self._secrets):
            raise BadInput("Stripe-Signature does not fit this body, or is too old")


@cache
def _check() -> Callable[[bytes, str, str], bool]:
    from stripe import SignatureVerificationError, WebhookSignature

    def fits(body: bytes, header: str, secret: str) -> bool:
        try:
            return bool(WebhookSignature.verify_header(body, header, secret, SIGNATURE_AGE_S_MAX))
        except (SignatureVerificationError, UnicodeDecodeError):
            return False

    return fits
