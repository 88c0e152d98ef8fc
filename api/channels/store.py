"""Who may hear which channel, in PostgreSQL: rows to values; decides nothing."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from config.db.database import Database
from config.db.queries import load_queries

_QUERIES: Final = load_queries(__file__)
_OPEN_TO: Final = _QUERIES["open_to"]


async def open_to(db: Database, viewer: UUID, owners: Sequence[UUID]) -> dict[UUID, int]:
    """Of these owners those whose channel the viewer may hear, with the second (unix) up to which tokens are void."""
    return {row["owner_id"]: row["void_before"] for row in await db.fetch(_OPEN_TO, viewer, owners)}
