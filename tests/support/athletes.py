"""People who have trained, written in sets: what jobs and leaderboards go over."""

from typing import Final
from uuid import UUID

import asyncpg

# $1 how many, $2 the number of the first. The streak of one in three lasts.
_MANY: Final = """
WITH numbered AS (
  SELECT n, ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
         ('00000000-0000-7000-a000-' || lpad(to_hex(n), 12, '0'))::uuid AS account
    FROM generate_series($2::int, $2::int + $1::int - 1) AS n
), opened AS (
  INSERT INTO accounts (id, kind, created_at) SELECT account, 'user', now() FROM numbered RETURNING id
), joined AS (
  INSERT INTO users (id, account_id, email, name, password_hash, time_zone, created_at, updated_at)
  SELECT n.id, n.account, n.n || '@example.org', 'User ' || n.n, '',
         ('{UTC,Europe/Berlin,Asia/Kolkata,America/New_York,Pacific/Kiritimati}'::text[])[1 + n.n % 5], now(), now()
    FROM numbered AS n JOIN opened AS o ON o.id = n.account RETURNING id
), trained AS (
  INSERT INTO training_days (user_id, local_date, workouts, xp, volume)
  SELECT n.id, (now() AT TIME ZONE 'UTC')::date - d, 1, 10 + n.n % 500, n.n + d
    FROM numbered AS n CROSS JOIN generate_series(0, 9) AS d
)
INSERT INTO progress (user_id, xp, level, workouts, volume, streak_longest, streak_days, streak_last, updated_at)
SELECT id, 100 + n, 2, 10, 10 * n, 30, 1 + n % 30, (now() AT TIME ZONE 'UTC')::date - (n % 3) * 5, now() FROM numbered
"""


async def athletes(connection: asyncpg.Connection, count: int, first: int = 1) -> list[UUID]:
    """`count` people, who train since ten days, each with a streak that lasts in one of three; their ids."""
    await connection.execute(_MANY, count, first)
    return [UUID(f"00000000-0000-7000-9000-{n:012x}") for n in range(first, first + count)]


async def somebody(
    connection: asyncpg.Connection, number: int, *, zone: str = "UTC", audience: str = "everyone"
) -> UUID:
    """One person who has never trained."""
    account, user = (UUID(f"00000000-0000-7000-{kind}000-{number:012x}") for kind in "ba")
    await connection.execute("INSERT INTO accounts (id, kind, created_at) VALUES ($1, 'user', now())", account)
    await connection.execute(
        "INSERT INTO users (id, account_id, email, name, password_hash, time_zone, audience, created_at, updated_at)"
        " VALUES ($1, $2, $3, $4, '', $5, $6, now(), now())",
        *(user, account, f"s{number}@example.org", f"Somebody {number}", zone, audience),
    )
    return user
