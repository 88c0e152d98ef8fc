"""What was taken back of what tokens say, and the one rule for each. Pure: gateways and API judge by this.

Both fill it from the same sets in Redis and the same messages on the bus (rt/wire/bus.py).
"""

from typing import Any, Final, NamedTuple

import orjson

from config.limits import CHANNELS_ENDED_MAX, REVOCATION_LATE_S, REVOCATIONS_MAX
from rt.auth.tokens import Access, ChannelGrant
from rt.wire.audience import AUDIENCES, Audience
from rt.wire.channels import profile_channel

EVERYBODY: Final = "*"  # among the readers of a channel: all but its owner


class Revocation(NamedTuple):
    """One of them, by its `kind`; `at` in unix seconds:

    `sid`: a session, ended at `at`. `user`: all that a user was given before `at`. `channel`: what a reader, or
    everybody, was given for a channel up to `at`, which may lie ahead; its `name` is `{wire name} {user or *}`.
    `audience`: the audience that a user chose at `at`; its `name` is `{user} {audience}`.
    """

    kind: str
    name: str
    at: float


class Revoked:
    """Of each kind the newest are remembered. `*_max` are for tests."""

    __slots__ = ("_channels_max", "_void_before", "audiences", "channels", "sids", "users")

    def __init__(self, channels_max: int = CHANNELS_ENDED_MAX) -> None:
        self.sids: dict[str, float] = {}  # sid -> unix time of the revocation
        self.users: dict[str, float] = {}  # user -> tokens issued before this unix time are void
        self.channels: dict[str, float] = {}  # channel and reader -> tokens issued up to this unix time are void
        self.audiences: dict[str, tuple[float, Audience]] = {}  # user -> when it was chosen, and which
        self._channels_max = channels_max
        self._void_before = -1.0  # what is not remembered any more is no newer than this

    def covers(self, access: Access) -> bool:
        """Whether a logout, a password change or a ban covers this access."""
        return access.sid in self.sids or access.issued_at < self.users.get(access.user, 0.0)

    def voids(self, grant: ChannelGrant) -> bool:
        """Whether the reader may have lost the channel since the token was given out, or its session is over."""
        if grant.sid in self.sids:
            return True
        at = max(self._void_before, self.channels.get(f"{grant.channel} {grant.user}", -1.0))
        if profile_channel(grant.user).wire != grant.channel:
            at = max(at, self.channels.get(f"{grant.channel} {EVERYBODY}", -1.0))
        return grant.issued_at <= at

    def audience_of(self, access: Access) -> Audience:
        """Who may know of this user's presence, by their own setting: what the token says, or what was chosen since. A
        token of soon after that says the same, or was signed before by a clock that is ahead."""
        at, chosen = self.audiences.get(access.user, (-1.0, access.presence_audience))
        return chosen if access.issued_at <= at + REVOCATION_LATE_S else access.presence_audience

    def add(self, one: Revocation) -> bool:
        """Remembers it; whether it was new."""
        match one.kind:
            case "sid":
                return _newest(self.sids, one)
            case "user":
                return _newest(self.users, one)
            case "channel":
                return self._add_channel(one)
            case "audience":
                return self._add_audience(one)
            case _:
                return False

    def _add_channel(self, one: Revocation) -> bool:
        if self.channels.get(one.name, -1.0) >= one.at:
            return False
        self.channels.pop(one.name, None)
        self.channels[one.name] = one.at
        if len(self.channels) > self._channels_max:  # rather all of that time than one that opens again
            self._void_before = max(self._void_before, self.channels.pop(next(iter(self.channels))))
        return True

    def _add_audience(self, one: Revocation) -> bool:
        user, _, name = one.name.partition(" ")
        chosen = next((audience for audience in AUDIENCES if audience == name), None)
        if chosen is None or self.audiences.get(user, (-1.0, chosen))[0] >= one.at:
            return False
        self.audiences[user] = (one.at, chosen)
        if len(self.audiences) > REVOCATIONS_MAX:
            del self.audiences[next(iter(self.audiences))]
        return True


def _newest(known: dict[str, float], one: Revocation) -> bool:
    if known.get(one.name, -1.0) >= one.at:
        return False
    known[one.name] = one.at
    if len(known) > REVOCATIONS_MAX:
        del known[next(iter(known))]
    return True


def member_of(one: Revocation) -> str:
    """How it lies in its set."""
    return f"{one.kind}:{one.name}"


def of_member(member: bytes, score: float) -> Revocation:
    """What a member of a set says; one of no kind (such as the set's own marks) is remembered by nobody."""
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
    found = [Revocation("sid", sid, unix) for sid in _list(sids) if isinstance(sid, str)]
    if isinstance(user, str) and isinstance(before, int | float):
        found.append(Revocation("user", user, float(before)))
    for pair in _list(message.get("members")):
        match pair:
            case [str(member), str(score)]:
                try:
                    found.append(of_member(member.encode(), float(score)))
                except ValueError:  # no number, or a text that is none
                    continue
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
