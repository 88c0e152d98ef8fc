"""What a job is: a function that does one batch in a transaction that is not its own."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

from config.db.database import Transaction
from config.settings import Settings
from rt.wire.drops import NOTHING, Drop
from worker.schedule import Schedule


class Turn(NamedTuple):
    """What a batch is given: its slot, where it begins (None = at the beginning), and the settings."""

    slot: datetime
    place: str | None
    settings: Settings


class Batch(NamedTuple):
    """What a batch did: how many rows it changed, and where the next one begins; None = it was the last."""

    changed: int
    place: str | None = None


# It may be run again after a failure, and is then told the place that was reached: what it does must roll back with its
# transaction.
Work = Callable[[Transaction, Turn], Awaitable[Batch]]


class Job(NamedTuple):
    """What is done, when, how long others have the database to themselves between two batches, and what APIs are told
    to drop when it is done."""

    name: str
    schedule: Schedule
    work: Work
    rest_s: float = 0.0
    drops: Drop = NOTHING
