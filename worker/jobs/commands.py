"""`python -m worker jobs` and `python -m worker run JOB`, for people with a shell."""

import sys
from collections.abc import Sequence
from typing import Final

import structlog

from config.db.database import Transaction
from config.db.postgres import ERRORS, UnfitDatabaseError, connect_once
from config.settings import Settings
from worker.jobs import store
from worker.jobs.every import JOBS
from worker.jobs.job import Job
from worker.jobs.runner import Outcome, run_slot, this_worker
from worker.jobs.store import Look
from worker.schedule import Known, due, words

log = structlog.get_logger()

_HEAD: Final = ("job", "runs", "last run (UTC)", "took", "result", "next slot (UTC)", "state")
_IMPOSSIBLE: Final = (*ERRORS, UnfitDatabaseError)


async def show_jobs(settings: Settings) -> int:
    """Prints the table; the exit code: 0, or 2 where the database could not be asked."""
    try:
        connection = await connect_once(settings, settings.worker_database_url)
        try:
            looks = await store.look(Transaction(connection), JOBS)
        finally:
            connection.terminate()
    except _IMPOSSIBLE as error:
        sys.stderr.write(f"the database cannot be asked: {type(error).__name__}\n")
        return 2
    sys.stdout.write(table([row(JOBS[one.name], one) for one in looks]))
    return 0


async def run_job(settings: Settings, name: str) -> int:
    """Runs a job now: its slot where that is due, else one of this instant, which counts as the slot before it too. The
    exit code: 0 = done, 1 = somebody else is at it, 2 = it failed."""
    job = JOBS[name]
    try:
        connection = await connect_once(settings, settings.worker_database_url)
        try:
            (found,) = await store.look(Transaction(connection), [name])
        finally:
            connection.terminate()
        slot = due(job.schedule, found.now, Known(found.done)) or found.now
        outcome = await run_slot(settings, job, slot, this_worker())
    except _IMPOSSIBLE as error:
        log.critical("job_failed", name=name, error=getattr(error, "sqlstate", None) or type(error).__name__)
        return 2
    if outcome is not Outcome.DONE:
        log.warning("job_not_run", name=name, why=outcome.value)
        return 1
    return 0


def row(job: Job, found: Look) -> Sequence[str]:
    """What the table says of one job."""
    late = due(job.schedule, found.now, Known(found.done))
    state = "waits"
    if found.newest is not None and found.newest != found.done and found.error is not None:
        state = f"failed {found.failures} times: {found.error}"
    elif late is not None:
        state = f"due since {late:%m-%d %H:%M}"
    return (
        job.name,
        words(job.schedule),
        "never" if found.finished is None else f"{found.finished:%Y-%m-%d %H:%M:%S}",
        "" if found.took_s is None else f"{found.took_s:.2f} s",
        "" if found.result is None else f"{found.result} changed",
        f"{job.schedule.next(found.now):%Y-%m-%d %H:%M}",
        state,
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lines of columns that are as wide as their widest text."""
    lines = [_HEAD, *rows]
    widths = [max(len(line[n]) for line in lines) for n in range(len(_HEAD))]
    return "".join(
        "  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )
