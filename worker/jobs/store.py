"""The run log in PostgreSQL: rows to values; decides nothing."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from config.db.database import Transaction
from config.db.queries import load_queries
from worker.schedule import Known

_QUERIES: Final = load_queries(__file__)
_LOOK: Final = _QUERIES["look"]
_BOUNDS: Final = _QUERIES["bounds"]
_TAKE_TURN: Final = _QUERIES["take_turn"]
_BEGIN_BATCH: Final = _QUERIES["begin_batch"]
_END_BATCH: Final = _QUERIES["end_batch"]
_NOTE_FAILURE: Final = _QUERIES["note_failure"]
_TRY_AGAIN: Final = _QUERIES["try_again"]


class Look(msgspec.Struct, frozen=True):
    """What the run log says of the job `name` at the database's `now`. `done`: the newest slot that is finished, and
    when, how long it took and what it changed. `newest`: of all; `failures` of it since it went well, and until when it
    rests."""

    now: datetime
    name: str
    done: datetime | None
    finished: datetime | None
    took_s: float | None
    result: int | None
    newest: datetime | None
    again: datetime | None
    error: str | None
    failures: int | None

    @property
    def known(self) -> Known:
        return Known(self.done, self.newest, self.again)


class Begun(msgspec.Struct, frozen=True):
    """A batch that was begun: where it begins."""

    place: str | None


async def look(tx: Transaction, jobs: Iterable[str]) -> list[Look]:
    """What is known of each of these jobs."""
    return [Look(**row) for row in await tx.fetch(_LOOK, list(jobs))]


async def take_turn(tx: Transaction, job: str, bound_s: float) -> bool:
    """Whether the transaction has the job to itself, to its end; it is bounded by then."""
    await tx.execute(_BOUNDS, str(round(bound_s * 1000)))
    return bool(await tx.fetchval(_TAKE_TURN, job))


async def begin(tx: Transaction, job: str, slot: datetime, worker: str) -> Begun | None:
    """Where the next batch of a slot begins; None = it is finished, or a newer one is."""
    row = await tx.fetchrow(_BEGIN_BATCH, job, slot, worker)
    return None if row is None else Begun(row["place"])


async def end(tx: Transaction, job: str, slot: datetime, changed: int, place: str | None) -> None:
    """Notes what a batch did, in its transaction."""
    await tx.execute(_END_BATCH, job, slot, changed, place)


async def note_failure(tx: Transaction, job: str, slot: datetime, worker: str, error: str) -> int | None:
    """How often the slot has failed since it last went well; None = it was finished meanwhile."""
    failures: int | None = await tx.fetchval(_NOTE_FAILURE, job, slot, worker, error)
    return failures


async def try_again(tx: Transaction, job: str, slot: datetime, seconds: int) -> None:
    """A slot that failed rests."""
    await tx.execute(_TRY_AGAIN, job, slot, float(seconds))
