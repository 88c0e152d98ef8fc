"""What only one person hears, on the dashboard: what others did to them, and what they were given. Pure, and the only
place where it is decided.

Such an event is the addressee's, whatever visibility it is recorded with. Where somebody else did it, `data.user` says
who; clients hear them as its `actor`.
"""

from collections.abc import Mapping
from typing import Any, Final

_BY_OTHERS: Final = frozenset({"high_five", "follow_requested", "followed"})
KINDS: Final = _BY_OTHERS | {"credits_granted"}


def told(kind: str, addressee: dict[str, Any], data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`actor` and `data` of an event as its owner hears it; of any kind: one that is not listed is the owner's deed."""
    who = data.get("user")
    if kind not in _BY_OTHERS or not isinstance(who, dict):
        return addressee, data
    actor = {"id": who.get("id"), "name": who.get("name")}
    return actor, _without_user(data) if kind == "high_five" else data


def _without_user(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "user"}
