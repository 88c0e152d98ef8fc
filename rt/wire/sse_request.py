"""What a request for a stream asks for, read of its query and headers. Pure."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from config.errors import BadInput, Unauthenticated
from config.limits import CHANNEL_CHARS_MAX, TOKEN_CHARS_MAX
from rt.wire.inbound import Since

__all__ = ["Asked", "read"]

_NAMES: Final = ("channel", "since", "token")
_FIELDS_MAX: Final = 16  # of a query: what is not among these names is ignored
_OFFSET: Final = re.compile(r"[0-9]{1,16}")


class Asked(NamedTuple):
    """One channel from one place on, and what its reader shows: an access token, a channel token, both or none."""

    channel: str
    since: Since | None = None
    access_token: str | None = None
    channel_token: str | None = None


def read(query: str, authorization: Sequence[str], last_event_id: Sequence[str]) -> Asked:
    """All values of these headers. Raises BadInput, Unauthenticated.

    `Last-Event-ID` is newer than the `since` of the address that an EventSource was made with, and so it counts.
    """
    fields = _fields(query)
    if len(last_event_id) > 1:
        raise BadInput("Last-Event-ID: one is enough", "Last-Event-ID")
    channel = fields.get("channel", "community")
    if len(channel) > CHANNEL_CHARS_MAX:
        raise BadInput(f"channel: at most {CHANNEL_CHARS_MAX} characters", "channel")
    since = _position(last_event_id[0], "Last-Event-ID") if last_event_id and last_event_id[0] else None
    if since is None and "since" in fields:
        since = _position(fields["since"], "since")
    return Asked(channel, since, _bearer(authorization), fields.get("token") or None)


def _fields(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError:  # too many, or bytes that are no UTF-8
        raise BadInput("The query cannot be read") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields and name in _NAMES:
            raise BadInput(f"{name}: once", name)
        fields[name] = value
    return fields


def _position(text: str, field: str) -> Since:
    """Of `{epoch}:{offset}`, as it was given in an `id:`."""
    epoch, _, offset = text.rpartition(":")
    try:
        if epoch and _OFFSET.fullmatch(offset):
            return msgspec.convert({"epoch": epoch, "offset": int(offset)}, Since)
    except msgspec.ValidationError:
        pass
    raise BadInput(f"{field} must be an `id` of this stream: epoch:offset", field)


def _bearer(values: Sequence[str]) -> str | None:
    if not values:
        return None
    scheme, _, token = values[0].partition(" ")
    token = token.strip()
    if len(values) > 1 or scheme.lower() != "bearer" or not 0 < len(token) <= TOKEN_CHARS_MAX:
        raise Unauthenticated("Authorization must be `Bearer` and an access token")
    return token
