"""What clients hear of a domain event, per channel. Pure, and the only place where it is decided.

A domain event is a row of the outbox: {"id", "v", "type", "created_at", "user": {"id", "name"}, "visibility", "data"}.
`PUBLIC_ANON` goes to the community, `PUBLIC_PROFILE` to the followers of the profile; the owner always hears all of it.

The community's rendition is built from an allow-list, never by deleting: a field that a new event type brings is not
told until somebody lists it here. It has its own id, no actor, the minute instead of the instant, and figures rounded
to two digits, so that it cannot be matched with what the same person shows elsewhere.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from rt.wire.channels import COMMUNITY, Channel, profile_channel, user_channel

PUBLIC_ANON: Final = "PUBLIC_ANON"
PUBLIC_PROFILE: Final = "PUBLIC_PROFILE"

Pick = Callable[[Any], Any]
_NOTHING: Final = object()  # a value of another type than expected is left out


class Rendition(NamedTuple):
    """What one channel hears: `body` is the JSON text that clients get, byte for byte."""

    channel: Channel
    event_id: UUID
    event_at: datetime
    body: bytes


class EventUnreadableError(Exception):
    """A row of the outbox that is no domain event; the message names the field, never its content."""


def rounded(figure: float) -> float:
    """`figure` to two significant digits; whole numbers stay whole."""
    if not figure or not math.isfinite(figure):
        return 0
    short = round(figure, 1 - math.floor(math.log10(abs(figure))))
    return int(short) if isinstance(figure, int) or short.is_integer() else short


def _figure(value: Any) -> Any:
    return rounded(value) if isinstance(value, int | float) and not isinstance(value, bool) else _NOTHING


def _exactly(value: Any) -> Any:
    return value


def _word(value: Any) -> Any:
    return value if isinstance(value, str) else _NOTHING


def _each(fields: Mapping[str, Pick]) -> Pick:
    """A list of objects, each cut to `fields`. Sorted and without repeats: the order in which somebody trains tells."""

    def pick(value: Any) -> Any:
        if not isinstance(value, list):
            return _NOTHING
        items = {
            orjson.dumps(_cut(item, fields), option=orjson.OPT_SORT_KEYS) for item in value if isinstance(item, dict)
        }
        return [orjson.loads(item) for item in sorted(items)]

    return pick


def _cut(data: Mapping[str, Any], fields: Mapping[str, Pick]) -> dict[str, Any]:
    picked = {name: pick(data[name]) for name, pick in fields.items() if name in data}
    return {name: value for name, value in picked.items() if value is not _NOTHING}


# By event type: what the community hears. Words here come from the reference data, never from a person.
_COMMUNITY_FIELDS: Final[Mapping[str, Mapping[str, Pick]]] = {
    "workout_completed": {
        "total_tu": _figure,
        "exercises": _each({"slug": _word, "name": _word}),
        "muscles": _each({"slug": _word, "name": _word, "training_units": _figure}),
    },
    "level_up": {"level": _figure},
    "milestone_achieved": {"milestone": _word},
}
# What followers hear: exact, but without what somebody wrote for themselves or paid.
_PROFILE_FIELDS: Final[Mapping[str, Mapping[str, Pick]]] = {
    "workout_completed": dict.fromkeys(("workout_id", "performed_at", "total_tu", "exercises", "muscles"), _exactly),
    "level_up": {"level": _exactly},
    "milestone_achieved": {"milestone": _exactly},
}


def translate(event: Mapping[str, Any], anonymous_id: UUID) -> list[Rendition]:
    """The renditions of one event, one per channel. `anonymous_id`: a random id for the community's.

    Raises EventUnreadableError where a field is missing or of another type than the outbox promises.
    """
    try:
        event_id, at = UUID(event["id"]), datetime.fromisoformat(event["created_at"])
        kind, version, data = event["type"], event["v"], event["data"]
        actor = {"id": event["user"]["id"], "name": event["user"]["name"]}
        visibility = frozenset(event["visibility"])
        user_id = str(UUID(actor["id"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EventUnreadableError(
            f"{type(error).__name__} {error.args[0] if isinstance(error, KeyError) else ''}"
        ) from None
    if not isinstance(data, dict) or at.tzinfo is None:
        raise EventUnreadableError("data or created_at")

    def rendition(channel: Channel, identity: UUID, when: datetime, who: object, told: object) -> Rendition:
        body = {"id": str(identity), "v": version, "type": kind, "created_at": _text(when), "actor": who, "data": told}
        return Rendition(channel, identity, when, orjson.dumps(body))

    renditions = [rendition(user_channel(user_id), event_id, at, actor, data)]
    if PUBLIC_PROFILE in visibility:
        told = _cut(data, _PROFILE_FIELDS.get(kind, {}))
        renditions.append(rendition(profile_channel(user_id), event_id, at, actor, told))
    if PUBLIC_ANON in visibility:
        told = _cut(data, _COMMUNITY_FIELDS.get(kind, {}))
        minute = at.replace(second=0, microsecond=0)
        renditions.append(rendition(COMMUNITY, anonymous_id, minute, None, told))
    return renditions


def _text(at: datetime) -> str:
    """ISO 8601 in UTC with Z; events come in UTC."""
    return at.isoformat().replace("+00:00", "Z")
