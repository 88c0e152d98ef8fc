"""What other apps may say and ask, and how it is answered. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import orjson
from msgspec import Meta

from config.errors import BadInput, Forbidden, PayloadTooLarge
from config.limits import (
    APP_EVENT_ID_CHARS_MAX,
    APP_EVENT_TYPE_CHARS_MAX,
    APP_EVENTS_PER_REQUEST_MAX,
    APP_SERVER_KEY_CHARS_MAX,
    CHANNEL_CHARS_MAX,
    EPOCH_CHARS_MAX,
)
from config.times import iso_z
from rt.wire.channels import Channel, ChannelKind, parse

EVENT_VERSION: Final = 1
NAMESPACE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
OFFSET_MAX: Final = 2**53

_TYPE: Final = re.compile(rf"[0-9A-Za-z][0-9A-Za-z._:-]{{0,{APP_EVENT_TYPE_CHARS_MAX - 1}}}")
_SINCE: Final = re.compile(rf"(?:([0-9A-Za-z_-]{{1,{EPOCH_CHARS_MAX}}}):)?(\d{{1,16}})")


class App(msgspec.Struct, frozen=True):
    """What is set for an app. `keys`: public members of its JWKS; `history_s` None = as long as streams are kept."""

    namespace: str
    open: bool
    users: bool
    presence: bool
    keys: list[dict[str, Any]]
    history: int
    history_s: int | None
    rate: int
    event_bytes: int
    channels: int


class Widget(msgspec.Struct, frozen=True):
    """A widget token that is good; `key` is the public one."""

    id: str
    origin: str
    key: dict[str, Any]
    expires_at: datetime


class Event(msgspec.Struct, frozen=True):
    """One event as an app sends it."""

    channel: Annotated[str, Meta(min_length=1, max_length=CHANNEL_CHARS_MAX)]
    id: Annotated[str, Meta(min_length=1, max_length=APP_EVENT_ID_CHARS_MAX)]
    type: str
    data: dict[str, Any]


class _Publish(msgspec.Struct):
    events: Annotated[list[Event], Meta(min_length=1, max_length=APP_EVENTS_PER_REQUEST_MAX)]


class Batch(NamedTuple):
    """Events in their order: names of channels inside the namespace, ids, and what clients will hear (JSON)."""

    channels: list[str]
    ids: list[str]
    bodies: list[str]


class Published(msgspec.Struct, frozen=True):
    """What became of one event; `existing`: it was published before."""

    id: str
    existing: bool


class Since(NamedTuple):
    """Where a reader stopped; `epoch` None = the one that there is."""

    epoch: str | None
    offset: int


class Past(NamedTuple):
    """A page of a channel's history: `lowest` is the oldest offset that may be read, `events` come after the place that
    was asked for."""

    epoch: str
    head: int
    lowest: int
    events: Sequence[tuple[int, bytes]]


_decoder: Final = msgspec.json.Decoder(_Publish)


def key_of(authorization: str | None) -> bytes:
    """By what a server key is found: the hash of the one that was sent, or of none. Never raises."""
    scheme, _, key = (authorization or "").partition(" ")
    good = scheme.lower() == "bearer" and len(key) <= APP_SERVER_KEY_CHARS_MAX
    return hash_of(key.strip() if good else "")


def hash_of(key: str) -> bytes:
    """SHA-256: a key has 256 random bits, so nothing slower is needed."""
    return sha256(key.encode()).digest()


def channel_of(namespace: str, name: str) -> Channel:
    """The channel that an app names, by its name or as clients do (`app:{namespace}:{name}`). Raises Forbidden for one
    of another app and BadInput for what is no name."""
    wire = name if name.startswith("app:") else f"app:{namespace}:{name}"
    channel = parse(wire)
    if channel is None or channel.kind is not ChannelKind.APP:
        raise BadInput("channel: 1 to 128 letters, digits and . _ ~ : -", "channel")
    if channel.namespace != namespace:
        raise Forbidden
    return channel


def batch_of(app: App, body: bytes, now: datetime) -> Batch:
    """The events of a request. Raises BadInput, PayloadTooLarge, and Forbidden for another app's channel."""
    try:
        events = _decoder.decode(body).events
    except msgspec.ValidationError as error:
        raise BadInput(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput("The body is not JSON") from None
    channels = [channel_of(app.namespace, event.channel).name for event in events]  # another app's first: it is a 403
    at = iso_z(now)
    return Batch(channels, [event.id for event in events], [_body(app, event, at) for event in events])


def _body(app: App, event: Event, at: str) -> str:
    if not event.id.isprintable():
        raise BadInput(f"id: 1 to {APP_EVENT_ID_CHARS_MAX} printable characters", "id")
    if not _TYPE.fullmatch(event.type):
        raise BadInput(f"type: 1 to {APP_EVENT_TYPE_CHARS_MAX} letters, digits and . _ : -", "type")
    try:
        data = orjson.dumps(event.data)
    except TypeError:  # deeper than it writes, a number beyond 64 bits, half a surrogate pair
        raise BadInput("data: nested too deeply, or a value that JSON does not carry everywhere", "data") from None
    if len(data) > app.event_bytes:
        raise PayloadTooLarge(f"data of an event may have at most {app.event_bytes} bytes")
    told = {"id": event.id, "v": EVENT_VERSION, "type": event.type, "created_at": at, "actor": None}
    return orjson.dumps({**told, "data": orjson.Fragment(data)}).decode()


def results_of(batch: Batch, fresh: Sequence[bool]) -> list[Published]:
    """One for each event, in the order of the request."""
    return [Published(id=one, existing=not new) for one, new in zip(batch.ids, fresh, strict=True)]


def since_of(text: str | None) -> Since | None:
    """`{epoch}:{offset}` or an offset alone. Raises BadInput."""
    if text is None:
        return None
    match = _SINCE.fullmatch(text)
    if match is None or not text.isascii() or int(match[2]) >= OFFSET_MAX:
        raise BadInput("since: {epoch}:{offset}, as events have them", "since")
    return Since(match[1], int(match[2]))


def history_of(past: Past, since: Since | None, bytes_max: int) -> dict[str, Any]:
    """The answer: events oldest first, within `bytes_max` but one at least; `offset` is that of the last of them, or of
    the newest event where there is none; `recovered`: nothing between `since` and them is missing, null without it."""
    events: list[dict[str, Any]] = []
    size = 0
    for offset, body in past.events:
        size += len(body)
        if events and size > bytes_max:
            break
        events.append({"offset": offset, "event": orjson.Fragment(body)})
    last = events[-1]["offset"] if events else past.head
    recovered = None
    if since is not None:
        known = since.epoch in (None, past.epoch)
        recovered = known and past.lowest - 1 <= since.offset <= past.head
    return {
        "epoch": past.epoch,
        "offset": last,
        "recovered": recovered,
        "more": last < past.head,
        "events": events,
    }


def shown(app: App, keys: int) -> str:
    """One line of the list."""
    on = [name for name in ("open", "users", "presence") if getattr(app, name)]
    kept = f"history {app.history}" + (f" and {app.history_s} s" if app.history_s else "")
    bounds = f"rate {app.rate}/s, {app.event_bytes} bytes an event, {kept}"
    secrets = f"{keys} server key{'s' * (keys != 1)}, {len(app.keys)} of its own"
    return f"{app.namespace:<32} {' '.join(on) or 'closed':<20} {bounds}; {secrets}; {app.channels} channels"


def told(apps: Sequence[App], widgets: Sequence[Widget]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """What gateways are told of them (rt/auth/apps.py): no key, no bound of publishing."""
    fields = ("namespace", "open", "users", "presence", "keys")
    return (
        [{field: getattr(app, field) for field in fields} for app in apps],
        [{"id": one.id, "origin": one.origin, "key": one.key} for one in widgets],
    )
