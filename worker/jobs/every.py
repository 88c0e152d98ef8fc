"""Every job there is. A new one: its module beside this one, a row here, its time in worker/schedule.py."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rt.wire.drops import LEADERBOARDS, NOTHING, Drop
from worker.jobs import challenges, leaderboards, partitions, rivals, streaks, terms
from worker.jobs.job import Job, Work
from worker.schedule import SCHEDULE

_WORK: Final[Mapping[str, Work]] = {
    "leaderboards": leaderboards.refresh,
    "streaks": streaks.run_once,
    "challenges": challenges.run_once,
    "rivals": rivals.run_once,
    "partitions": partitions.run_once,
    "week": leaderboards.keep_week,
    "last-week": leaderboards.keep_last_week,
}
_DROPS: Final[Mapping[str, Drop]] = {"leaderboards": Drop(types=frozenset({LEADERBOARDS}))}
JOBS: Final = MappingProxyType(
    {name: Job(name, SCHEDULE[name], work, drops=_DROPS.get(name, NOTHING)) for name, work in _WORK.items()}
    | terms.JOBS
)
