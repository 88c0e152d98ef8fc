"""A database as years of use leave it (years.sql), for benchmarks and for tests of what must not grow with it."""

from pathlib import Path
from typing import Final

import asyncpg

SCRIPT: Final = Path(__file__).with_name("years.sql")
FILL_S_MAX: Final = 3_600.0


async def fill(url: str, *, users: int, workouts: int, heavy: int) -> None:
    """Fills the migrated, empty database at `url`, whose role owns the tables: `heavy` of the workouts are the first
    user's, the others' are spread over `users`. A million workouts take some minutes."""
    connection = await asyncpg.connect(url)
    try:
        for name, value in (("users", users), ("workouts", workouts), ("heavy", heavy)):
            await connection.execute("SELECT set_config($1, $2, false)", f"years.{name}", str(value))
        await connection.execute(SCRIPT.read_text("utf-8"), timeout=FILL_S_MAX)
    finally:
        await connection.close()
