"""What is published for one channel, and what every gateway reads. Pure.

Two payloads share the channel of a profile: the relay's batch of events, and the presence of its owner. `decode_batch`
answers None for the second, `decode_presence` for the first; on a channel of another app it is `decode_member`.

A batch is `{epoch} {first} {count}\\n` followed by `count` whole server frames, one per event, offsets ascending
and dense from `first`. The gateway writes the frames as they are: it parses nothing per event. A batch of no events is
the relay's answer to a request: PostgreSQL's newest event of the channel is `first` - 1. Where events of it are traced,
a fourth word names the places (`traceparent`) at which their traces go on, with commas between.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from config.limits import TRACES_PER_BATCH_MAX
from config.times import iso_z
from rt.wire.frames import text_frame

# Pub/Sub channels that are no feed.
# To every gateway: {"t": "revoke"} with "sids": [...], "user" and "before", or "members": [[member, score], ...] of the
# sets below; and what rt/wire/flags.py says.
CONTROL_CHANNEL: Final = "rt:control"
RELAY_WAKE_CHANNEL: Final = "relay:wake"  # to the relay: something was committed (payload empty)
DROPS_CHANNEL: Final = "api:drops"  # to the APIs: what of the answers that they keep has changed (rt/wire/drops.py)
MAP_CHANNEL: Final = "presence:map"  # changes of tiles, a line each (rt/wire/map.py)
ONLINE_CHANNEL: Final = "presence:online"  # JSON {"users": n, "training": n}, every ONLINE_EVERY_S
# List of channels (`namespace:name`) that a gateway or the API misses in Redis; the relay takes and refills them.
REFILL_LIST: Final = "relay:refill"
# Other apps and widget tokens (rt/auth/apps.py): the text, and a digest of it; kept fresh by the API. APPS_CHANGED goes
# out on CONTROL_CHANNEL behind them.
APPS_KEY: Final = "apps"
APPS_DIGEST_KEY: Final = "apps:digest"
APPS_CHANGED: Final = b'{"t":"apps_changed"}'
# String: the epoch of the installation, kept fresh by the relay.
EPOCH_KEY: Final = "feed:epoch"
# String: in which version the community's events lie in its history; kept by the relay.
RENDITIONS_KEY: Final = "feed:renditions"
# String: JWKS (JSON), kept fresh by the API.
JWKS_KEY: Final = "auth:jwks"
# Set: slugs of known exercises, kept fresh by the API.
EXERCISES_KEY: Final = "reference:exercises"
# String: flags as they are for nobody (rt/wire/flags.py), kept fresh by the API.
FLAGS_KEY: Final = "flags"
# What the keeper has published: a hash of the map's tiles by `resolution/tile`, and the numbers online and training.
TILES_KEY: Final = "presence:map:tiles"
TOTALS_KEY: Final = "presence:totals"
# Sorted set: `sid:{session}`, score = unix time at which it came here, `user:{user}`, score = unix time before which
# their tokens are void, or `audience:{user} {audience}`, score = unix time at which it was chosen; kept
# REVOCATIONS_KEPT_S by whoever revokes. What the bus loses gateways and APIs find here, and a resume ticket of a
# signed-out session is refused. Its member REVOKED_THROUGH, kept by the API, has the unix time up to which the set is
# whole; a gateway that has never seen it trusts no ticket.
REVOKED_KEY: Final = "auth:revoked"
# Sorted set: `channel:{wire name} {user or *}`, score = unix time up to which their channel tokens are void, which lies
# REVOCATION_LATE_S ahead of when it was written; kept ENDED_KEPT_S behind that. A gateway that has never seen its
# member REVOKED_THROUGH trusts no channel token.
ENDED_KEY: Final = "auth:ended"
REVOKED_THROUGH: Final = "through"
# String: 32 bytes, made once by a gateway; signs resume tickets.
TICKET_SECRET_KEY: Final = "rt:ticket-secret"  # noqa: S105 - the name of a key, no secret


class Batch(NamedTuple):
    """Consecutive events of one channel: `frames` holds the offsets first .. first + size - 1. `traces`: where those go
    on that some of them belong to (config/tracing.py)."""

    epoch: str
    first: int
    size: int
    frames: bytes
    traces: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        return self.first + self.size - 1


def event_frame(channel: str, offset: int, body: bytes) -> bytes:
    """The ready frame of one event; `body` is the event's JSON as it is stored, `channel` a wire name.

    Wire names need no JSON escape: their grammar (rt/wire/channels.py) has no quote, backslash or control character.
    """
    return text_frame(b'{"type":"event","channel":"%b","offset":%d,"event":%b}' % (channel.encode(), offset, body))


def event_of(channel: str, offset: int, frame: bytes) -> bytes:
    """The body of an event, out of the frame that `event_frame` made of it."""
    head = 2 if frame[1] < 126 else 4 if frame[1] == 126 else 10
    return frame[head + len(b'{"type":"event","channel":"%b","offset":%d,"event":' % (channel.encode(), offset)) : -1]


def encode_batch(epoch: str, channel: str, first: int, bodies: Sequence[bytes], traces: Collection[str] = ()) -> bytes:
    """The payload for PUBLISH. Of many traces it carries the first TRACES_PER_BATCH_MAX."""
    frames = b"".join(event_frame(channel, first + n, body) for n, body in enumerate(bodies))
    traced = b" " + ",".join(list(traces)[:TRACES_PER_BATCH_MAX]).encode() if traces else b""
    return b"%b %d %d%b\n%b" % (epoch.encode(), first, len(bodies), traced, frames)


def decode_batch(payload: bytes) -> Batch | None:
    """The batch, or None where the payload is none (a foreign publisher must not stop a gateway)."""
    head, newline, frames = payload.partition(b"\n")
    parts = head.split(b" ")
    if not newline or len(parts) not in (3, 4) or not parts[1].isdigit() or not parts[2].isdigit():
        return None
    try:
        traces = tuple(parts[3].decode().split(",")) if len(parts) == 4 else ()
        return Batch(parts[0].decode(), int(parts[1]), int(parts[2]), frames, traces)
    except UnicodeDecodeError:
        return None


def encode_presence(user: str, state: str, at_ms: int) -> bytes:
    """What PUBLISH carries on the bus channel of the user's profile when others see another state of them.

    `state` is `online`, `training` or `offline`; `at_ms` (Unix, milliseconds) is when they were last seen. The Lua of
    a presence partition (rt/presence/counts.lua) writes the same bytes; a test holds the two together.
    """
    return f"presence {user} {state} {at_ms}".encode()


def decode_presence(payload: bytes) -> bytes | None:
    """The ready `presence` frame for everybody on the profile's channel, or None where the payload is none."""
    parts = payload.split(b" ")
    if len(parts) != 4 or parts[0] != b"presence" or not parts[3].isdigit() or len(parts[3]) > 13:
        return None
    if parts[2] not in (b"online", b"training", b"offline") or not parts[1].translate(None, b"-_").isalnum():
        return None
    seen = iso_z(datetime.fromtimestamp(int(parts[3]) / 1000, UTC), "milliseconds")
    return text_frame(
        b'{"type":"presence","user":"%b","state":"%b","last_seen":"%b"}' % (parts[1], parts[2], seen.encode())
    )


def decode_member(channel: str, payload: bytes) -> bytes | None:
    """The ready `presence` frame for everybody on a channel of another app, or None where the payload is none.

    It is `member {user} {state}`, written by rt/presence/room.lua; `state` is `online` or `offline`.
    """
    parts = payload.split(b" ")
    if len(parts) != 3 or parts[0] != b"member" or parts[2] not in (b"online", b"offline"):
        return None
    if not parts[1].translate(None, b"-_:").isalnum():
        return None
    return text_frame(
        b'{"type":"presence","channel":"%b","user":"%b","state":"%b"}' % (channel.encode(), parts[1], parts[2])
    )
