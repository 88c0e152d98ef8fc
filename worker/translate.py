"""What clients hear of a domain event, per channel. Pure, and the only place where it is decided who hears of it.

A domain event is a row of the outbox: {"id", "v", "type", "created_at", "user": {"id", "name"}, "visibility", "data"}.
`PUBLIC_ANON` goes to the community, `PUBLIC_PROFILE` to the followers of the profile; the owner always hears all of it.
What is addressed to its owner (config/events/addressed.py) nobody else hears; what is nobody's (`id` null), nobody.

The community's rendition has its own id, no actor, the minute instead of the instant, and of its data what
config/events/anonymous.py tells, so that it cannot be matched with what the same person shows elsewhere.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from config.events import addressed, anonymous, followers
from config.events.visibility import Visibility
from config.times import iso_z
from rt.wire.channels import COMMUNITY, Channel, profile_channel, user_channel


class Rendition(NamedTuple):
    """What one channel hears: `body` is the JSON text that clients get, byte for byte. Followers' stands behind the
    owner's, of which it can be made again. `source`: of the community's, the event that it tells of; for nobody."""

    channel: Channel
    event_id: UUID
    event_at: datetime
    body: bytes
    source: UUID | None = None


class EventUnreadableError(Exception):
    """A row of the outbox that is no domain event; the message names the field, never its content."""


def translate(event: Mapping[str, Any], anonymous_id: UUID) -> list[Rendition]:
    """The renditions of one event, one per channel. `anonymous_id`: a random id for the community's.

    Raises EventUnreadableError where a field is missing or of another type than the outbox promises.
    """
    try:
        event_id, at = UUID(event["id"]), datetime.fromisoformat(event["created_at"])
        kind, version, data = event["type"], event["v"], event["data"]
        actor = {"id": event["user"]["id"], "name": event["user"]["name"]}
        visibility = frozenset(event["visibility"])
        if actor["id"] is None:
            return []
        user_id = str(UUID(actor["id"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EventUnreadableError(
            f"{type(error).__name__} {error.args[0] if isinstance(error, KeyError) else ''}"
        ) from None
    if not isinstance(data, dict) or at.tzinfo is None:
        raise EventUnreadableError("data or created_at")

    def rendition(
        channel: Channel, identity: UUID, when: datetime, who: object, told: object, v: int = version
    ) -> Rendition:
        body = {"id": str(identity), "v": v, "type": kind, "created_at": iso_z(when), "actor": who, "data": told}
        return Rendition(channel, identity, when, orjson.dumps(body))

    renditions = [rendition(user_channel(user_id), event_id, at, *addressed.told(kind, actor, data))]
    if kind in addressed.KINDS:
        return renditions
    if Visibility.PUBLIC_PROFILE.value in visibility:
        renditions.append(rendition(profile_channel(user_id), event_id, at, actor, followers.told(kind, data)))
    if Visibility.PUBLIC_ANON.value in visibility:
        v, told = anonymous.told(kind, version, data)
        minute = at.replace(second=0, microsecond=0)
        renditions.append(rendition(COMMUNITY, anonymous_id, minute, None, told, v)._replace(source=event_id))
    return renditions
