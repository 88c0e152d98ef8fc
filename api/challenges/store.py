"""Challenges in PostgreSQL: rows to values; decides nothing."""

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson

from api.challenges.rules import Calendar, Row
from config.db.database import Database, Transaction
from config.db.queries import load_queries

_QUERIES: Final = load_queries(__file__)
_BOARD: Final = _QUERIES["board"]
_LOCK_USER: Final = _QUERIES["lock_user"]
_WORKOUTS_OF_WEEK: Final = _QUERIES["workouts_of_week"]
_JOIN: Final = _QUERIES["join"]


class StoredParts(msgspec.Struct, frozen=True):
    """A workout by ids: exercises with repetitions and kilograms of each set, muscles with training units."""

    total_tu: float
    exercises: list[tuple[UUID, list[tuple[int, float | None]]]]
    muscles: list[tuple[UUID, float]]


async def board(db: Database, user_id: UUID, now: datetime) -> tuple[Calendar, list[Row]] | None:
    """A user's calendar at `now` and what is stored of their challenges; None where there is no such user."""
    row = await db.fetchrow(_BOARD, user_id, now)
    if row is None:
        return None
    midnights = {
        date.fromisoformat(day): datetime.fromisoformat(at) for day, at in orjson.loads(row["midnights"]).items()
    }
    rows = [
        Row(date.fromisoformat(on), UUID(challenge), *rest)
        for on, challenge, *rest in orjson.loads(row["rows"] or "[]")
    ]
    return Calendar(row["today"], midnights), rows


async def lock_user(tx: Transaction, user_id: UUID, now: datetime) -> date | None:
    """The user's today, with the user locked; None where there is no such user."""
    row = await tx.fetchrow(_LOCK_USER, user_id, now)
    return None if row is None else row["today"]


async def workouts_of_week(tx: Transaction, user_id: UUID, monday: date, limit: int) -> list[StoredParts]:
    """At most `limit` workouts of a week, the last performed first."""
    return [_parts(row) for row in await tx.fetch(_WORKOUTS_OF_WEEK, user_id, monday, limit)]


async def join(
    tx: Transaction,
    user_id: UUID,
    now: datetime,
    challenge: UUID,
    monday: date,
    progress: float,
    target: float,
    reward_xp: int,
    event_id: UUID,
) -> None:
    """Takes part; nothing where the user does already."""
    await tx.execute(_JOIN, user_id, now, challenge, monday, progress, target, reward_xp, event_id)


def _parts(row: Any) -> StoredParts:
    exercises = [
        (UUID(exercise), [(one["reps"], one["weight_kg"]) for one in sets])
        for exercise, sets in orjson.loads(row["exercises"] or "[]")
    ]
    muscles = [(UUID(muscle), units) for muscle, units in orjson.loads(row["muscles"] or "[]")]
    return StoredParts(row["total_tu"], exercises, muscles)
