"""What a SQLSTATE means for whoever asked PostgreSQL: one rule for every statement, task and probe. Pure.

The states are those of PostgreSQL's appendix A; the first two characters are a state's class.
"""

from enum import Enum, auto
from typing import Final, NamedTuple


class Kind(Enum):
    """What to do about it."""

    AWAY = auto()  # the connection ended: what it was doing may have been done, and another one may answer
    CONFLICT = auto()  # nothing was done; the same again may pass at once
    SLOW = auto()  # it was given its time
    UNFIT = auto()  # the server answers and cannot do its work, for whoever asks: not ready
    OURS = auto()  # the values that were given do not fit: a defect of ours, the same for ever


class Fault(NamedTuple):
    """`reason` is for readiness and logs: words of ours, nothing that a server said."""

    kind: Kind
    reason: str


DOES_NOT_ANSWER: Final = Fault(Kind.AWAY, "does not answer")
TOO_SLOW: Final = Fault(Kind.SLOW, "too slow")
CONFLICT: Final = Fault(Kind.CONFLICT, "conflicts")
READ_ONLY: Final = Fault(Kind.UNFIT, "read-only")
STARTING: Final = Fault(Kind.AWAY, "starting")
FULL_HOUSE: Final = Fault(Kind.AWAY, "too many connections")
_OURS: Final = Fault(Kind.OURS, "")
_UNKNOWN: Final = Fault(Kind.UNFIT, "fails")
_PREPARED: Final = Fault(Kind.UNFIT, "mixes prepared statements up")
_BROKEN: Final = Fault(Kind.UNFIT, "broken")
_CHANGED: Final = Fault(Kind.UNFIT, "not as migrated")
_REFUSES: Final = Fault(Kind.UNFIT, "refuses us")

_STATES: Final = {
    "0A000": Fault(Kind.UNFIT, "cannot do this"),  # what a standby says to SERIALIZABLE
    # What is sent in binary fits no statement of ours: it met another one's.
    "22021": _PREPARED,
    "22P03": _PREPARED,
    "25006": READ_ONLY,
    "25P03": DOES_NOT_ANSWER,
    "25P04": TOO_SLOW,
    "42501": _REFUSES,
    "42P05": _PREPARED,
    "53100": Fault(Kind.UNFIT, "full"),
    "53200": Fault(Kind.UNFIT, "out of memory"),
    "53300": FULL_HOUSE,
    "57014": TOO_SLOW,
    "57P03": STARTING,
    "57P04": _CHANGED,
}
_CLASSES: Final = {
    "08": DOES_NOT_ANSWER,
    "21": _OURS,
    "22": _OURS,
    "23": _OURS,
    "25": _CHANGED,  # the role's default isolation, which `make migrate` sets
    "26": _PREPARED,
    "28": _REFUSES,
    "3D": _CHANGED,
    "3F": _CHANGED,
    "40": CONFLICT,
    "42": _CHANGED,
    "44": _OURS,
    "53": Fault(Kind.UNFIT, "out of resources"),
    "54": _OURS,
    "55": Fault(Kind.SLOW, "in use"),
    "57": DOES_NOT_ANSWER,
    "58": _BROKEN,
    "F0": _BROKEN,
    "P0": _OURS,
    "XX": _BROKEN,
}


def of_state(state: str) -> Fault:
    """The meaning of a SQLSTATE; one that nobody foresaw is the server's fault."""
    return _STATES.get(state) or _CLASSES.get(state[:2], _UNKNOWN)
