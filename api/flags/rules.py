"""Which flags there are, and for whom one is on. Pure.

Order: denied, allowed, the percentage (of users), then what the flag is set to for all, then the default here. Whoever
is not signed in is in no percentage. A user's place within a flag is a hash of both: a percentage that grows keeps
whom it had, and other flags choose others. Users are named by a hash, so that no flag keeps an id.
"""

import hashlib
from enum import Enum
from typing import Final

import msgspec

from rt.wire.flags import FEED_DIGEST

CHALLENGES: Final = "challenges"
NAMED_MAX: Final = 1_000  # users whom one flag names
_PERSON_CHARS: Final = 32


class Known(msgspec.Struct, frozen=True):
    """A flag: its default where nothing is set or known, and what it switches."""

    key: str
    default: bool
    meaning: str


FLAGS: Final = (
    Known(FEED_DIGEST, True, "hot channels are told by digests (FEED_RATE); off: each event one by one; for all alike"),
    Known(CHALLENGES, True, "challenges are shown and can be joined"),
)
DEFAULTS: Final = {flag.key: flag.default for flag in FLAGS}


class State(msgspec.Struct, frozen=True):
    """What a flag is set to; as it is made here: to nothing."""

    enabled: bool | None = None
    percent: float | None = None
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    version: int = 0


UNSET: Final = State()


class Why(Enum):
    """What decided."""

    NAMED = "named"
    PERCENT = "percent"
    SET = "set"
    DEFAULT = "default"


def person(user: str) -> str:
    """How a flag names a user."""
    return hashlib.sha256(f"flag:{user}".encode()).hexdigest()[:_PERSON_CHARS]


def place(key: str, user: str) -> float:
    """Where a user stands in a flag's percentages: from 0 up to 100, evenly."""
    return int.from_bytes(hashlib.sha256(f"{key}:{user}".encode()).digest()[:8], "big") / 2**64 * 100


def decide(key: str, default: bool, state: State, user: str | None) -> tuple[bool, Why]:
    """Whether the flag is on for a user (None: nobody), and what decided it."""
    if user is not None:
        named = person(user) if state.allowed or state.denied else ""
        if named in state.denied or named in state.allowed:
            return named not in state.denied, Why.NAMED
        if state.percent is not None:
            return place(key, user) < state.percent, Why.PERCENT
    return (default, Why.DEFAULT) if state.enabled is None else (state.enabled, Why.SET)
