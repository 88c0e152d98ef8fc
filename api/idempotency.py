"""Keys that make a repeated request one. Pure."""

from config.errors import BadInput
from config.limits import IDEMPOTENCY_KEY_CHARS_MAX


def check_key(key: object) -> str:
    """An idempotency key: 1-200 printable ASCII characters. Raises BadInput."""
    if not isinstance(key, str) or not 1 <= len(key) <= IDEMPOTENCY_KEY_CHARS_MAX:
        raise BadInput(f"idempotencyKey: between 1 and {IDEMPOTENCY_KEY_CHARS_MAX} characters", "idempotencyKey")
    if not (key.isascii() and key.isprintable()):
        raise BadInput("idempotencyKey: printable ASCII characters only", "idempotencyKey")
    return key
