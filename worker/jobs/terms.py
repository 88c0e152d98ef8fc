"""Drops what is over its term: a job for each kind, so that one which waits for a lock holds up no other."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from config.db.database import Transaction
from worker.jobs.job import Batch, Job, Turn
from worker.retention import CHORES, RETENTION_REST_S, Chore, drop, measure
from worker.schedule import SCHEDULE


async def _run_once(what: str, chores: Sequence[Chore], tx: Transaction, turn: Turn) -> Batch:
    """A batch of the chore that the place names by its number; one that has nothing left gives way to the next."""
    number = int(turn.place or 0)
    rows = await drop(tx, turn.settings, what, chores[number])
    if rows is None:
        number += 1
    if number < len(chores):
        return Batch(rows or 0, str(number))
    await measure(tx)
    return Batch(0)


def _job(what: str) -> Job:
    chores = [chore for of, chore in CHORES if of == what]
    name = f"drop-{what.replace('_', '-')}"
    return Job(name, SCHEDULE["retention"], partial(_run_once, what, chores), RETENTION_REST_S)


KINDS: Final = tuple(dict.fromkeys(what for what, _ in CHORES))
JOBS: Final = {job.name: job for job in map(_job, KINDS)}
