"""Who was signed out, and the one rule by which a token is refused for it. Pure: gateways and API judge by this.

Both fill it from the same set in Redis (REVOKED_KEY) and the same messages on the bus (rt/wire/bus.py).
"""

from typing import Any, NamedTuple

import orjson

from config.limits import REVOCATIONS_MAX
from rt.auth.tokens import Access


class Revocation(NamedTuple):
    """One of them: a session (`kind` sid) or all that a user was given before (`kind` user); `at` in unix seconds."""

    kind: str
    name: str
    at: float


class Revoked:
    """Of each kind the newest REVOCATIONS_MAX are remembered."""

    __slots__ = ("sids", "users")

    def __init__(self) -> None:
        self.sids: dict[str, float] = {}  # sid -> unix time of the revocation
        self.users: dict[str, float] = {}  # user -> tokens issued before this unix time are void

    def covers(self, access: Access) -> bool:
        """Whether a logout, a password change or a ban covers this access."""
        return access.sid in self.sids or access.issued_at < self.users.get(access.user, 0.0)

    def add(self, one: Revocation) -> bool:
        """Remembers it; whether it was new."""
        if one.kind not in ("sid", "user"):
            return False
        known = self.sids if one.kind == "sid" else self.users
        if known.get(one.name, -1.0) >= one.at:
            return False
        known[one.name] = one.at
        if len(known) > REVOCATIONS_MAX:
            del known[next(iter(known))]
        return True


def of_member(member: bytes, score: float) -> Revocation:
    """What a member of the set says; one of no kind (such as the set's own marks) is remembered by nobody."""
    kind, _, name = member.decode(errors="replace").partition(":")
    return Revocation(kind, name, score)


def of_message(payload: bytes, unix: float) -> list[Revocation]:
    """What a message to all says at `unix`; nothing where it is of another kind or not understood."""
    try:
        message: Any = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(message, dict) or message.get("t") != "revoke":
        return []
    sids, user, before = message.get("sids"), message.get("user"), message.get("before", unix)
    if isinstance(sids, list):
        return [Revocation("sid", sid, unix) for sid in sids if isinstance(sid, str)]
    if isinstance(user, str) and isinstance(before, int | float):
        return [Revocation("user", user, float(before))]
    return []
