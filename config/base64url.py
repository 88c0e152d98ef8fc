"""base64url without padding (RFC 4648, 5), strict: what is not the one spelling of its bytes is none. Pure.

The library's decoder skips padding and foreign characters, and takes leftover bits for nothing.
"""

from binascii import a2b_base64, b2a_base64
from typing import Final

__all__ = ["decode", "encode"]

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_+/=", b"+/***")  # what is not of the alphabet stays foreign
_ANY: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_LAST: Final[tuple[frozenset[str], ...]] = (
    _ANY | {""},
    frozenset(),
    frozenset("AQgw"),
    frozenset("AEIMQUYcgkosw048"),
)  # by length modulo 4


def encode(data: bytes) -> str:
    """The text of the bytes."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of the text. Raises ValueError where it is not their one spelling: the bits left over are zero."""
    over = len(text) % 4
    if text[-1:] not in _LAST[over]:
        raise ValueError("not the one spelling")
    return a2b_base64(text.encode().translate(_FROM_URL) + b"=" * (-over % 4), strict_mode=True)
