"""What operators ask of PostgreSQL: rows to values and back; decides nothing."""

from typing import Final
from uuid import UUID

from api.operators.rules import Job, Told, Waiting
from config.db.database import Database
from config.db.queries import load_queries
from config.limits import RELAY_DEPTH_MAX

_QUERIES: Final = load_queries(__file__)
_IS_OPERATOR: Final = _QUERIES["is_operator"]
_PERSON_OF: Final = _QUERIES["person_of"]
_PLACES: Final = _QUERIES["places"]
_WAITING: Final = _QUERIES["waiting"]
_JOBS: Final = _QUERIES["jobs"]


async def is_operator(db: Database, viewer: UUID) -> bool:
    """Whether the viewer has the role, by the row."""
    row = await db.fetchrow(_IS_OPERATOR, viewer)
    return bool(row["is_operator"])


async def person_of(db: Database, viewer: UUID, email: str) -> UUID | None:
    """Whose address it is (in lower case)."""
    row = await db.fetchrow(_PERSON_OF, viewer, email)
    found: UUID | None = row["person_of"]
    return found


async def places(db: Database, viewer: UUID, event: UUID, user: UUID) -> list[Told]:
    """Where the event lies, and whether the user may read it there."""
    return [Told(**row) for row in await db.fetch(_PLACES, viewer, event, user)]


async def waiting(db: Database, viewer: UUID, event: UUID | None) -> Waiting:
    """What the relay has not numbered."""
    row = await db.fetchrow(_WAITING, viewer, event, RELAY_DEPTH_MAX)
    lag_s = 0.0 if row["oldest"] is None else max(0.0, (row["now"] - row["oldest"]).total_seconds())
    return Waiting(row["waits"], row["depth"], lag_s)


async def jobs(db: Database, viewer: UUID) -> list[Job]:
    """Every job that ever ran."""
    return [Job(**row) for row in await db.fetch(_JOBS, viewer)]
