"""What jobs take on 200,000 users, and what a workout takes meanwhile (`make bench ARGS=jobs`). JOBS_USERS sizes it.

Workouts come at a steady rate, so that the two columns compare the same load. Server, worker and those who train share
this machine.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from api.outbox import Wake
from api.reference.service import Reference
from api.workouts.service import Workouts
from config.db.database import Database
from config.db.postgres import connect, make_pool
from config.ids import uuid7
from config.process import configure_logging
from config.redis import connect as connect_redis
from config.settings import Settings
from worker.jobs.every import JOBS
from worker.jobs.runner import run_slot

USERS: Final = 200_000
DAYS: Final = 10  # of training of each, the last ones
RIVALS: Final = 2
RATE: Final = 100  # workouts a second
PEOPLE: Final = 1_000  # who train meanwhile
ALONE_S: Final = 10.0
FILL_S_MAX: Final = 1_200.0

_FILL: Final = """
SET synchronous_commit TO off;
CREATE TEMP TABLE people AS
SELECT n, ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
       ('00000000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid AS account
  FROM generate_series(1, $users) AS n;
INSERT INTO accounts (id, kind, created_at) SELECT account, 'user', now() FROM people;
INSERT INTO credit_balances (account_id, credits, version, updated_at) SELECT account, 0, 0, now() FROM people;
INSERT INTO users (id, account_id, email, name, password_hash, time_zone, trial_ends_at, created_at, updated_at)
SELECT id, account, n || '@example.org', 'User ' || n, '',
       ('{UTC,Europe/Berlin,Asia/Kolkata,America/New_York,Pacific/Kiritimati}'::text[])[1 + n % 5],
       now() + interval '1 day', now(), now() FROM people;
UPDATE progress AS p
   SET (xp, level, workouts, volume, streak_longest, streak_days, streak_first, streak_last, updated_at)
     = ROW(10000 * random(), 2, 10, 1000 * random(), 300, 1 + n % 300, now()::date - n % 4 - n % 300,
           now()::date - n % 4, now())
  FROM people WHERE p.user_id = people.id;
INSERT INTO training_days (user_id, local_date, workouts, xp, volume)
SELECT id, now()::date - d, 1, 10 + 590 * random(), 1000 * random() FROM people, generate_series(0, $days - 1) AS d;
INSERT INTO rivals (user_id, rival_id, since, my_start, their_start)
SELECT p.id, o.id, now(), 0, 0 FROM people AS p, generate_series(1, $rivals) AS r
  JOIN people AS o ON true WHERE o.n = 1 + (p.n + r * 77) % $users;
"""
# What five minutes of a busy hour change: one in a hundred has trained, and every rank between them moves.
_TRAINED: Final = "UPDATE progress SET xp = xp + 50, volume = volume + 10 WHERE random() < 0.01"


class _Training:
    """People who log workouts at RATE; milliseconds of each since `begin`."""

    def __init__(self, db: Database, reference: Reference, settings: Settings) -> None:
        redis = connect_redis(settings.redis_url.get_secret_value())
        self._db, self._reference, self._wake = db, reference, Wake(redis)
        self._cost = settings.workout_cost
        exercise = str(reference.exercises()[0].id)
        sets = [{"reps": 10, "weightKg": 60.5}] * 3
        self._raw = {"performedAt": datetime.now(UTC), "exercises": [{"exerciseId": exercise, "sets": sets}]}
        self.took_ms: list[float] = []

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Meanwhile."""
        async with asyncio.TaskGroup() as tasks:
            pace = tasks.create_task(self._pace(tasks))
            yield
            pace.cancel()

    async def _pace(self, tasks: asyncio.TaskGroup) -> None:
        number, began = 0, time.monotonic()
        while True:
            number += 1
            tasks.create_task(self._log(number))
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))

    async def _log(self, number: int) -> None:
        started = time.perf_counter()
        user = UUID(f"00000000-0000-7000-9000-{1 + number % PEOPLE:012x}")
        workouts = Workouts(self._db.of(user), self._reference, self._wake, self._cost)
        await workouts.log(user, self._raw, str(uuid7()), datetime.now(UTC))
        self.took_ms.append((time.perf_counter() - started) * 1000)


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each job."""
    configure_logging("bench", "error")
    users = int(os.environ.get("JOBS_USERS", USERS))
    settings = Settings()
    owner = await asyncpg.connect(environment["DATABASE_OWNER_URL"])
    pool = make_pool(settings)
    await connect(pool)
    try:
        started = time.monotonic()
        fill = _FILL.replace("$users", str(users)).replace("$days", str(DAYS)).replace("$rivals", str(RIVALS))
        await owner.execute(fill, timeout=FILL_S_MAX)
        await owner.execute("VACUUM ANALYZE", timeout=FILL_S_MAX)
        print(f"jobs: {users:,} users in {time.monotonic() - started:.0f} s", file=sys.stderr)
        reference = Reference()
        await reference.load(pool)
        training = _Training(Database(pool), reference, settings)
        async with training.going_on():
            await asyncio.sleep(ALONE_S / 2)  # plans and caches
            training.took_ms.clear()
            await asyncio.sleep(ALONE_S)
            alone = list(training.took_ms)
            rows = []
            for name, what in (
                ("streaks", "of all who have not trained for days"),
                ("streaks", "of nobody"),
                ("leaderboards", "the first time"),
                ("leaderboards", "one in a hundred has trained"),
                ("leaderboards", "one in a hundred has trained"),
                ("rivals", "of everybody"),
                ("rivals", "of nobody"),
                ("week", ""),
            ):
                if what.startswith("one in"):
                    await owner.execute(_TRAINED)
                rows.append(await _row(settings, training, name, what, alone))
    finally:
        await pool.close()
        await owner.close()
    return rows


async def _row(settings: Settings, training: _Training, name: str, what: str, alone: list[float]) -> dict[str, Any]:
    await asyncio.sleep(1.0)
    training.took_ms.clear()
    started = time.monotonic()
    await run_slot(settings, JOBS[name], datetime.now(UTC), "bench")
    took_s = time.monotonic() - started
    meanwhile = list(training.took_ms)
    return {
        "job": name,
        "what": what,
        "took s": f"{took_s:.2f}",
        "workout p50, alone ms": f"{statistics.median(alone):.1f}",
        "meanwhile": f"{statistics.median(meanwhile):.1f}" if meanwhile else "",
        "ratio": f"{statistics.median(meanwhile) / statistics.median(alone):.2f}" if meanwhile else "",
        "p99, alone ms": f"{_p99(alone):.1f}",
        "p99 meanwhile": f"{_p99(meanwhile):.1f}" if len(meanwhile) >= RATE else "",
    }


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
