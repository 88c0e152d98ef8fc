"""Who may know of somebody's presence. Pure."""

from typing import Final, Literal

__all__ = ["AUDIENCES", "Audience", "strictest"]

Audience = Literal["everyone", "followers", "nobody"]
AUDIENCES: Final[tuple[Audience, ...]] = ("everyone", "followers", "nobody")


def strictest(first: Audience, second: Audience) -> Audience:
    """The audience that both allow: a heartbeat may narrow the user's own setting and never widen it."""
    return AUDIENCES[max(AUDIENCES.index(first), AUDIENCES.index(second))]
