"""What followers hear of somebody's event, made of what the owner hears. Pure, and the only place where it is decided.

PostgreSQL keeps the owner's text alone; a follower's position refers to it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

# Exact, but without what somebody wrote for themselves or paid. Built from this list, never by deleting.
_FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "workout_completed": ("workout_id", "performed_at", "total_tu", "exercises", "muscles"),
    "level_up": ("v", "level"),
    "milestone_achieved": ("v", "kind", "value", "exercise"),
    "challenge_completed": ("v", "challenge", "reward_xp"),
}


def told(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` of an event of this kind for followers; of a kind that is not listed, nothing."""
    return {name: data[name] for name in _FIELDS.get(kind, ()) if name in data}


def of_owner(body: bytes) -> bytes:
    """The text that followers hear, of the owner's: the same whenever it is made."""
    event = orjson.loads(body)
    return orjson.dumps(event | {"data": told(event["type"], event["data"])})
