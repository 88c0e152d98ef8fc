"""High fives in PostgreSQL: rows to values and back; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from api.highfives.rules import Tally
from config.db.database import Database
from config.db.queries import load_queries

_QUERIES: Final = load_queries(__file__)
_SEND_HIGH_FIVE: Final = _QUERIES["send_high_five"]
_TALLIES: Final = _QUERIES["tallies"]

# Whose violation means that the same request won elsewhere meanwhile.
_TWINS: Final = frozenset({"high_fives_pkey"})


class Stored(msgspec.Struct, frozen=True):
    """What send_high_five says; `outcome` as its comment lists them."""

    outcome: str
    retry_s: int | None


async def send_high_five(
    db: Database, sender: UUID, event: UUID, notice: UUID, share: int, most: int, now: datetime
) -> Stored:
    """Sends one in one transaction. Raises RetryLater. Those of one event and share wait for each other here, before
    they take a connection."""
    row = await db.call(_SEND_HIGH_FIVE, sender, event, notice, share, most, now, lane=(event, share), twins=_TWINS)
    return Stored(**row)


async def tallies(db: Database, events: Sequence[UUID], viewer: UUID | None) -> dict[UUID, Tally]:
    """Of each of these events, known or not."""
    rows = await db.fetch(_TALLIES, events, viewer)
    return {row["id"]: Tally(row["high_fives"], row["mine"]) for row in rows}
