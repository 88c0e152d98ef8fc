"""People in PostgreSQL: rows to values; decides nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from api.community.rules import Profile
from config.db.database import Database
from config.db.queries import load_queries
from config.limits import BLOCKS_MAX, FOLLOW_REQUESTS_MAX, FOLLOWING_MAX

_QUERIES: Final = load_queries(__file__)
_PROFILES: Final = _QUERIES["profiles"]
_PEOPLE: Final = _QUERIES["people"]
_NAMED: Final = _QUERIES["named"]
_FOLLOW: Final = _QUERIES["follow"]
_UNFOLLOW: Final = _QUERIES["unfollow"]
_ANSWER: Final = _QUERIES["answer"]
_BLOCK: Final = _QUERIES["block"]
_UNBLOCK: Final = _QUERIES["unblock"]
_SET_AUDIENCE: Final = _QUERIES["set_audience"]

# Whoever inserts the same row at the same time did it: the repeat sees so.
_TWINS: Final = frozenset(
    {"follows_pkey", "blocks_pkey", "follow_counts_pkey", "follow_notices_pkey", "ended_reads_pkey"}
)


class Listed(NamedTuple):
    """Somebody in a list, and by what they stand there: a time, or a part of the name."""

    by: Any
    profile: Profile


class Changed(NamedTuple):
    """What came of a change, and up to which second (unix) tokens are void: of whoever follows the viewer, and of the
    viewer; None where nobody lost anything."""

    outcome: str
    void_before: int | None = None
    void_other: int | None = None


class Chosen(NamedTuple):
    """What came of a choice of audience: since when, and up to which second others' tokens are void."""

    outcome: str
    at: datetime | None
    void_before: int | None


async def profiles(db: Database, viewer: UUID | None, users: Sequence[UUID], now: datetime) -> list[Profile]:
    """Of these users those whom the viewer may see."""
    return [_profile(row) for row in await db.fetch(_PROFILES, viewer, users, now)]


async def people(
    db: Database, viewer: UUID, user: UUID, what: str, after: tuple[datetime, UUID] | None, limit: int, now: datetime
) -> list[Listed] | None:
    """At most `limit` of a list of a user's people, the newest first; None where the viewer may not read it."""
    rows = await db.fetch(_PEOPLE, viewer, user, what, *(after or (None, None)), limit, now)
    return [Listed(row["since"], _profile(row)) for row in rows if row["id"] is not None] if rows else None


async def named(
    db: Database, viewer: UUID | None, text: str, after: tuple[str, UUID] | None, limit: int, now: datetime
) -> list[Listed]:
    """At most `limit` of those with a word that begins with `text`, by that word."""
    rows = await db.fetch(_NAMED, viewer, text, *(after or (None, None)), limit, now)
    return [Listed(row["tail"], _profile(row)) for row in rows]


async def follow(db: Database, viewer: UUID, user: UUID, now: datetime, event_id: UUID) -> Changed:
    """Follows, or asks to."""
    args = (viewer, user, FOLLOWING_MAX, FOLLOW_REQUESTS_MAX, now, event_id)
    return Changed(**dict(await db.call(_FOLLOW, *args, lane=user, twins=_TWINS)))


async def unfollow(db: Database, viewer: UUID, user: UUID, now: datetime) -> Changed:
    """Follows no more, and asks no more to."""
    return Changed(**dict(await db.call(_UNFOLLOW, viewer, user, now, lane=user, twins=_TWINS)))


async def answer(db: Database, viewer: UUID, user: UUID, now: datetime, *, accept: bool) -> Changed:
    """Answers a user's request to follow the viewer."""
    return Changed(**dict(await db.call(_ANSWER, viewer, user, accept, now, lane=viewer, twins=_TWINS)))


async def block(db: Database, viewer: UUID, user: UUID, now: datetime) -> Changed:
    """Neither follows the other any more."""
    return Changed(**dict(await db.call(_BLOCK, viewer, user, BLOCKS_MAX, now, lane=user, twins=_TWINS, takes=True)))


async def unblock(db: Database, viewer: UUID, user: UUID, now: datetime) -> Changed:
    """They may see each other again."""
    return Changed(**dict(await db.call(_UNBLOCK, viewer, user, now, lane=user, twins=_TWINS)))


async def set_audience(db: Database, viewer: UUID, audience: str, now: datetime) -> Chosen:
    """Who may see the viewer."""
    return Chosen(**dict(await db.call(_SET_AUDIENCE, viewer, audience, now, lane=viewer, twins=_TWINS, takes=True)))


def _profile(row: Mapping[str, Any]) -> Profile:
    return Profile(**{name: row[name] for name in Profile.__struct_fields__})
