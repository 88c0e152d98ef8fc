"""Flags as gateways hear them, who ask neither PostgreSQL nor for a user. Pure.

The same text lies under FLAGS_KEY and goes out on CONTROL_CHANNEL (rt/wire/bus.py): {"t": "flags", "on": {key: bool}}.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

FEED_DIGEST: Final = "feed-digest"  # hot channels are told by digests
CHANGED: Final = b'{"t":"flags_changed"}'  # to the APIs: read them again


def encode_flags(on: Mapping[str, bool]) -> bytes:
    """The text."""
    return orjson.dumps({"t": "flags", "on": on})


def decode_flags(payload: bytes) -> dict[str, bool] | None:
    """The flags of such a text; None for another one."""
    try:
        message: Any = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(message, dict) or message.get("t") != "flags" or not isinstance(message.get("on"), dict):
        return None
    return {key: on for key, on in message["on"].items() if isinstance(on, bool)}
