"""Runs each job once a slot, however many workers there are: by the database's time, one batch a transaction.

A batch takes the job's turn, which ends with its transaction, looks whether the slot is still to do, does its work and
notes how far it came: all of it is committed, or nothing. So a worker that is killed leaves the slot as the last batch
left it, and whoever looks next goes on there; one that was paused finds its transaction gone, and the slot finished.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Final

import asyncpg
import structlog

from config.db.database import Transaction
from config.db.postgres import ERRORS, connect_once
from config.redis import publish_once
from config.settings import Settings
from rt.wire.bus import DROPS_CHANNEL
from rt.wire.drops import NOTHING, encode_drop
from worker import metrics
from worker.jobs import store
from worker.jobs.job import Batch, Job, Turn
from worker.schedule import again_s, due, overdue
from worker.store import committed

log = structlog.get_logger()

JOBS_LOOK_S: Final = 1.0  # how often a worker looks which jobs are due, and ...
JOBS_LEAVE_S: Final = 2.0  # ... how long it leaves one alone that somebody else is at, or that failed
JOB_SLOW_S: Final = 30.0  # a statement of a job that is logged as slow
JOB_BATCH_S_MAX: Final = 300.0  # of a statement; a refresh of the views is one


class Outcome(Enum):
    """How a slot went."""

    DONE = "done"
    BUSY = "busy"  # somebody else is at it
    OVER = "over"  # it was finished before, or a newer one was


def this_worker() -> str:
    """A name for the run log."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Runner:
    """One worker's share in the jobs, over its pool; a job runs on a connection of its own."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings, jobs: Mapping[str, Job]) -> None:
        self._pool = pool
        self._settings = settings
        self._jobs = jobs
        self._worker = this_worker()
        self._at_it: set[str] = set()

    async def run(self) -> None:
        """For as long as the process lives. Jobs do not wait for each other."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for job, slot in await self._due():
                    self._at_it.add(job.name)
                    tasks.create_task(self._do(job, slot), name=f"job {job.name}")
                await asyncio.sleep(JOBS_LOOK_S)

    async def _due(self) -> list[tuple[Job, datetime]]:
        """What is to run now, and is not running here."""
        try:
            async with committed(self._pool) as tx:
                looks = await store.look(tx, self._jobs)
        except ERRORS:
            return []  # not connected yet, or away
        found = []
        for one in looks:
            job = self._jobs[one.name]
            _tell(job, one)
            slot = due(job.schedule, one.now, one.known)
            if slot is not None and job.name not in self._at_it:
                found.append((job, slot))
        return found

    async def _do(self, job: Job, slot: datetime) -> None:
        try:
            leave = await run_slot(self._settings, job, slot, self._worker) is Outcome.BUSY
        except Exception as error:  # noqa: BLE001 - a defect of one job must not end the relay and the other jobs
            await self._failed(job, slot, error)
            leave = True
        if leave:
            await asyncio.sleep(JOBS_LEAVE_S)
        self._at_it.discard(job.name)

    async def _failed(self, job: Job, slot: datetime, error: Exception) -> None:
        metrics.JOB_FAILURES.labels(job.name).inc()
        ours = not isinstance(error, ERRORS)
        word = getattr(error, "sqlstate", None) or type(error).__name__
        log.warning("job_failed", name=job.name, slot=slot.isoformat(), error=word, exc_info=error if ours else None)
        try:
            async with committed(self._pool) as tx:
                failures = await store.note_failure(tx, job.name, slot, self._worker, word)
                if failures is not None:
                    await store.try_again(tx, job.name, slot, again_s(failures))
        except ERRORS:
            log.info("failure_not_noted", name=job.name)  # it is away: the slot is due as before


async def run_slot(settings: Settings, job: Job, slot: datetime, worker: str) -> Outcome:
    """Does what is left of a slot, batch by batch. Raises what is in ERRORS, UnfitDatabaseError, and what the job
    raises."""
    connection = await connect_once(settings, settings.worker_database_url)
    changed = 0
    try:
        while True:
            async with asyncio.timeout(JOB_BATCH_S_MAX), connection.transaction(isolation="read_committed"):
                done = await _batch(Transaction(connection, slow_s=JOB_SLOW_S), settings, job, slot, worker)
            if isinstance(done, Outcome):
                return done
            changed += done.changed
            if done.place is None:
                log.info("job_done", name=job.name, slot=slot.isoformat(), changed=changed)
                if job.drops != NOTHING:
                    await publish_once(settings.redis_url.get_secret_value(), DROPS_CHANNEL, encode_drop(job.drops))
                return Outcome.DONE
            await asyncio.sleep(job.rest_s)
    finally:
        connection.terminate()


async def _batch(tx: Transaction, settings: Settings, job: Job, slot: datetime, worker: str) -> Batch | Outcome:
    if not await store.take_turn(tx, job.name, JOB_BATCH_S_MAX):
        return Outcome.BUSY
    begun = await store.begin(tx, job.name, slot, worker)
    if begun is None:
        return Outcome.OVER
    done = await job.work(tx, Turn(slot, begun.place, settings))
    await store.end(tx, job.name, slot, done.changed, done.place)
    return done


def _tell(job: Job, found: store.Look) -> None:
    if found.finished is not None:
        metrics.JOB_AGE_S.labels(job.name).set((found.now - found.finished).total_seconds())
        metrics.JOB_TOOK_S.labels(job.name).set(found.took_s or 0)
    metrics.JOB_OVERDUE_S.labels(job.name).set(overdue(job.schedule, found.now, found.done).total_seconds())
