"""Events of a page, as a test compares them."""

from typing import Any

import orjson

from api.feed.rules import Event


def whole(event: Event) -> dict[str, Any]:
    """An event with its data read."""
    return {
        "id": event.id,
        "v": event.v,
        "type": event.type,
        "created_at": event.created_at,
        "actor": event.actor,
        "data": data_of(event),
    }


def data_of(event: Event) -> Any:
    """What an event says."""
    return orjson.loads(bytes(event.data))
