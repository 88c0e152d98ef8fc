"""The key set that JWT_PUBLIC_KEYS gives. Pure.

A private key that was pasted whole would be handed to everybody who asks for the set, so it is refused; and what is
published of a key is a list of its own, whatever else was given with it.
"""

from typing import Any, Final

import orjson

# RFC 7518, 6: members that only the holder of a key may know: of curves and RSA `d`, its factors, a symmetric key `k`.
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_PUBLIC: Final = ("kty", "crv", "x", "y", "kid", "alg", "use")


def public_keys(text: str) -> list[dict[str, Any]]:
    """The public members of the P-256 keys of a JWKS. Raises ValueError, whose message repeats nothing of the text."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("not JSON") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise ValueError('not a JWKS: {"keys": [...]} is needed')
    for number, key in enumerate(keys, 1):
        found = sorted(_PRIVATE & key.keys())
        if found:
            raise ValueError(
                f"key {number} has its private part ({', '.join(found)}): give the public members alone, and replace"
                " this key if others have seen it"
            )
        if not isinstance(key.get("kid"), str) or not key["kid"]:
            raise ValueError(f"key {number} has no kid")
    return [
        {name: key[name] for name in _PUBLIC if name in key}
        for key in keys
        if (key.get("kty"), key.get("crv")) == ("EC", "P-256")
    ]
