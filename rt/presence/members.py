"""What presence knows of one connection and of one user, and the packing that Python and Lua share. Pure.

A member is a connection. Its value in `presence:{pN}:meta` is `user gateway placed_at_ms cell flags`, the record of
its user in `presence:{pN}:users` is `cell flags connection connection ...`; no cell is `-`. The three flags are one
letter each: state (o online, t training), audience (e everyone, f followers, n nobody), settled (s, or u for not).
The letters are chosen so that a user's flag is the greatest of those of the live connections: one that trains is
training, the strictest audience holds, one unsettled connection unsettles.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from rt.presence.rules import Status
from rt.wire.audience import Audience

NOWHERE: Final = "-"

_LETTER_OF_STATE: Final[dict[str, str]] = {"online": "o", "training": "t"}
_LETTER_OF_AUDIENCE: Final[dict[Audience, str]] = {"everyone": "e", "followers": "f", "nobody": "n"}
_AUDIENCE_OF_LETTER: Final = {letter: audience for audience, letter in _LETTER_OF_AUDIENCE.items()}


class Member(msgspec.Struct, frozen=True, gc=False):
    """One connection as it is written to Redis; `cell` is empty and `placed_at_ms` 0 where it never had a place."""

    connection: str
    user: str
    cell: str
    placed_at_ms: int
    state: Status
    audience: Audience
    settled: bool
    ttl_s: int


class Transition(NamedTuple):
    """A user whom followers now see otherwise than before: `online`, `training` or `offline`."""

    user: str
    state: str


class Contribution(NamedTuple):
    """What one user counts for, from all their live connections together."""

    cell: str
    state: str
    audience: str
    settled: str

    @property
    def flags(self) -> str:
        return self.state + self.audience + self.settled


class Value(NamedTuple):
    """The unpacked value of one member."""

    user: str
    gateway: str
    placed_at_ms: int
    cell: str
    flags: str


class Here(NamedTuple):
    """Somebody with a live connection; `audience` is the strictest of their devices'."""

    training: bool
    audience: Audience


class Counts(NamedTuple):
    """Counts of one partition: distinct users per cell, the settled ones of them, and totals of everybody public."""

    bucket: Counter[str]
    settled: Counter[str]
    users: int
    training: int


def pack(member: Member, gateway: str) -> str:
    """The member's value."""
    flags = _LETTER_OF_STATE[member.state] + _LETTER_OF_AUDIENCE[member.audience] + ("s" if member.settled else "u")
    return f"{member.user} {gateway} {member.placed_at_ms} {member.cell or NOWHERE} {flags}"


def unpack(value: str) -> Value:
    """The inverse of `pack`. ValueError where the value is none."""
    user, gateway, placed_at_ms, cell, flags = value.split(" ")
    return Value(user, gateway, int(placed_at_ms), cell, flags)


def contribution(values: Iterable[Value]) -> Contribution:
    """A user counts once: in the cell of the newest place (the greatest cell on a tie), by the greatest flags."""
    placed = max(((v.placed_at_ms, v.cell) for v in values if v.cell != NOWHERE), default=(0, NOWHERE))
    state, audience, settled = (max(letters) for letters in zip(*(v.flags for v in values), strict=True))
    return Contribution(placed[1], state, audience, settled)


def here_of(record: str) -> Here:
    """What the record of a user says of them."""
    flags = record.split(" ", 2)[1]
    return Here(flags[0] == "t", _AUDIENCE_OF_LETTER[flags[1]])


def visible_state(of: Contribution | None) -> str:
    """What the followers of a user see."""
    if of is None or of.audience == "n":
        return "offline"
    return "training" if of.state == "t" else "online"


def count(contributions: Iterable[Contribution]) -> Counts:
    """The counts that these users make; `followers` and `nobody` are in none."""
    bucket: Counter[str] = Counter()
    settled: Counter[str] = Counter()
    users = training = 0
    for one in contributions:
        if one.audience != "e":
            continue
        users += 1
        training += one.state == "t"
        if one.cell != NOWHERE:
            bucket[one.cell] += 1
            if one.settled == "s":
                settled[one.cell] += 1
    return Counts(bucket, settled, users, training)


def by_user(meta: Mapping[str, str]) -> dict[str, dict[str, Value]]:
    """user → connection → value, from the meta hash of a partition."""
    users: dict[str, dict[str, Value]] = {}
    for connection, packed in meta.items():
        value = unpack(packed)
        users.setdefault(value.user, {})[connection] = value
    return users
