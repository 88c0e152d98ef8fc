"""Leaderboards and rivals in PostgreSQL: rows to values; decides nothing."""

from datetime import datetime
from typing import Final
from uuid import UUID

from api.standings.rules import Pair, Standing, StandingPage
from config.db.database import Database
from config.db.queries import load_queries
from config.limits import RIVALS_MAX

_QUERIES: Final = load_queries(__file__)
_LEADERBOARD_PAGE: Final = _QUERIES["leaderboard_page"]
_ADD_RIVAL: Final = _QUERIES["add_rival"]
_REMOVE_RIVAL: Final = _QUERIES["remove_rival"]
_RIVALS_OF: Final = _QUERIES["rivals_of"]
_TWINS: Final = frozenset({"rivals_pkey"})


async def leaderboard(
    db: Database, viewer: UUID | None, board: str, period: str, after: int, limit: int
) -> StandingPage:
    """At most `limit` rows of a list behind the place `after`, and the viewer's own."""
    own, *rows = await db.fetch(_LEADERBOARD_PAGE, viewer, board, period, after, limit)
    found = [Standing(row["place"], row["rank"], row["score"], row["user_id"]) for row in rows]
    me = None if own["rank"] is None else Standing(0, own["rank"], own["score"], own["user_id"])
    return StandingPage(found, me, own["refreshed_at"])


async def rivals(db: Database, user_id: UUID) -> list[Pair]:
    """Whom a user compares with and may see, the newest first."""
    return [Pair(**row) for row in await db.fetch(_RIVALS_OF, user_id)]


async def add_rival(db: Database, user_id: UUID, rival_id: UUID, now: datetime) -> str:
    """`added`, `there`, `unknown` or `full`."""
    row = await db.call(_ADD_RIVAL, user_id, rival_id, now, RIVALS_MAX, lane=user_id, twins=_TWINS)
    return str(row[0])


async def remove_rival(db: Database, user_id: UUID, rival_id: UUID) -> bool:
    """Whether there was one."""
    row = await db.call(_REMOVE_RIVAL, user_id, rival_id, lane=user_id, twins=_TWINS)
    return bool(row[0])
