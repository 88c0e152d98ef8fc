"""Names of channels on the wire and of their keys in Redis. Pure.

On the wire: `community`, `profile:{user id}`, `user:{user id}`, `app:{namespace}:{name}`. Inside, a channel is a
namespace and a name: the first three belong to the namespace `musclemap`.
"""

import re
from enum import Enum
from typing import Final, NamedTuple

from config.limits import CHANNEL_CHARS_MAX

OWN_NAMESPACE: Final = "musclemap"

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_APP = re.compile(r"app:([a-z0-9][a-z0-9-]{0,31}):([0-9A-Za-z._~:-]{1,128})")


class ChannelKind(Enum):
    """What a channel is to its readers: who may join, and how much of it Redis keeps."""

    COMMUNITY = "community"
    PROFILE = "profile"
    USER = "user"
    APP = "app"


class Channel(NamedTuple):
    """One channel. `name` is unique inside `namespace`; `owner` is the user id of profile and user channels."""

    kind: ChannelKind
    namespace: str
    name: str

    @property
    def owner(self) -> str | None:
        return self.name.partition(":")[2] if self.kind in (ChannelKind.PROFILE, ChannelKind.USER) else None

    @property
    def wire(self) -> str:
        """The name that clients use."""
        return f"app:{self.namespace}:{self.name}" if self.kind is ChannelKind.APP else self.name

    @property
    def is_stream(self) -> bool:
        """Whether Redis keeps a stream of it (community and apps) or the short list of a personal channel."""
        return self.kind in (ChannelKind.COMMUNITY, ChannelKind.APP)


COMMUNITY: Final = Channel(ChannelKind.COMMUNITY, OWN_NAMESPACE, "community")


def is_id(text: str) -> bool:
    """Whether the text can be the id of a user in a channel's name."""
    return _ID.fullmatch(text) is not None


def user_channel(user_id: str) -> Channel:
    """The private channel of one user: the dashboard's live side."""
    return Channel(ChannelKind.USER, OWN_NAMESPACE, f"user:{user_id}")


def profile_channel(user_id: str) -> Channel:
    """What followers of one user hear."""
    return Channel(ChannelKind.PROFILE, OWN_NAMESPACE, f"profile:{user_id}")


def app_channel(namespace: str, name: str) -> Channel:
    """A channel of another app's namespace; `parse` checks the grammar."""
    return Channel(ChannelKind.APP, namespace, name)


def parse(wire: str) -> Channel | None:
    """The channel that a client names, or None where the name is none. Never raises."""
    if wire == "community":
        return COMMUNITY
    if len(wire) > CHANNEL_CHARS_MAX:
        return None
    kind, _, rest = wire.partition(":")
    if kind == "profile" and _ID.fullmatch(rest):
        return profile_channel(rest)
    if kind == "user" and _ID.fullmatch(rest):
        return user_channel(rest)
    match = _APP.fullmatch(wire)
    if match and match[1] != OWN_NAMESPACE:
        return app_channel(match[1], match[2])
    return None


def parse_stored(namespace: str, name: str) -> Channel | None:
    """The channel of a row in PostgreSQL."""
    return parse(name) if namespace == OWN_NAMESPACE else parse(f"app:{namespace}:{name}")


# --- Redis: every key of one channel carries the hash tag {namespace:name}, so one script may touch them all.


def tag(channel: Channel) -> str:
    """What stands between the braces."""
    return f"{channel.namespace}:{channel.name}"


def of_tag(text: str) -> Channel | None:
    """The inverse of `tag`."""
    namespace, _, name = text.partition(":")
    return parse_stored(namespace, name)


def meta_key(channel: Channel) -> str:
    """Hash `epoch`, `offset` (of the newest event)."""
    return f"feed:{{{tag(channel)}}}:meta"


META_PATTERN: Final = "feed:{*}:meta"  # for SCAN


def of_meta_key(key: str) -> Channel | None:
    """The inverse of `meta_key`."""
    if not (key.startswith("feed:{") and key.endswith("}:meta")):
        return None
    return of_tag(key[6:-6])


def history_key(channel: Channel) -> str:
    """Stream (entry id `{offset}-0`, field `e`) or list (`{offset} {body}`, newest first)."""
    return f"feed:{{{tag(channel)}}}:history"


def bus_channel(channel: Channel) -> str:
    """The Pub/Sub channel that carries its batches (rt/wire/bus.py)."""
    return f"rt:{{{tag(channel)}}}"
