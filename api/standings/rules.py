"""Leaderboards and rivals as values. Pure."""

from datetime import datetime
from uuid import UUID

import msgspec

from api.community.rules import Profile
from api.pages import Edge, PageInfo, bad_cursor, decode_cursor
from config.errors import NotFound
from config.limits import PLACES_MAX


class Standing(msgspec.Struct, frozen=True):
    """One row of a list. `user_id` is None where the viewer may not know who it is."""

    place: int
    rank: int
    score: float
    user_id: UUID | None


class StandingPage(msgspec.Struct, frozen=True):
    """Rows of a list, those of the viewer's rank (without a place) apart."""

    rows: list[Standing]
    me: Standing | None
    refreshed_at: datetime | None


class Entry(msgspec.Struct, frozen=True):
    """One row as the viewer sees it."""

    rank: int
    profile: Profile | None
    score: float
    me: bool


class Leaderboard(msgspec.Struct, frozen=True):
    """One page of a list, with where the viewer stands."""

    edges: tuple[Edge[Entry], ...]
    page_info: PageInfo
    me: Entry | None
    refreshed_at: datetime | None


class Pair(msgspec.Struct, frozen=True):
    """A user and a rival of theirs, as they are stored."""

    rival_id: UUID
    since: datetime
    my_score: float
    their_score: float


class Rival(msgspec.Struct, frozen=True):
    """A rival as their owner sees them: the XP that each has gained since."""

    profile: Profile
    since: datetime
    my_score: float
    their_score: float


def place_after(cursor: str | None) -> int:
    """The place behind which the page after `cursor` begins. Raises BadInput."""
    if cursor is None:
        return 0
    (text,) = decode_cursor(cursor, 1)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(PLACES_MAX)) and int(text) <= PLACES_MAX):
        raise bad_cursor()
    return int(text)


def user_of(text: str) -> UUID:
    """The user that an ID of GraphQL names. Raises NotFound: what is no id of ours is nobody's."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
