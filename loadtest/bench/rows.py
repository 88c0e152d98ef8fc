"""What row level security costs: a workout and a page of one's own feed, with it and without, on one database.

The two sides take turns, so that a noisy neighbour meets both: on one, tables without their policies, transactions that
do not say who asks, a workout that its caller writes and a page that does not ask. Both read what they read in the same
way. CPU of the server hardly depends on neighbours.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import asyncpg

from api.feed import store as feed
from api.feed.rules import dashboard
from api.outbox import Wake
from api.reference.service import Reference
from api.workouts.service import Workouts
from config.db.database import Database
from config.db.postgres import connect, make_pool
from config.db.queries import load_queries
from config.ids import uuid7
from config.redis import connect as connect_redis
from config.settings import Settings
from loadtest.bench.ledger import make_users, parent_of, server_cpu_s, some_workout

CLIENTS: Final = 20
ROUND_S: Final = 1.0
WARM_S: Final = 0.5  # plans are made anew when policies come and go
ROUNDS: Final = 15
EVENTS: Final = 120  # in each feed: more than the page has
PAGE: Final = 100

_TABLES: Final = "SELECT polrelid::regclass::text AS name FROM pg_policy GROUP BY polrelid"
_WORKOUT: Final = (
    "SELECT oid::regprocedure::text AS name FROM pg_proc WHERE proname = 'log_workout' AND prolang <> "
    "(SELECT oid FROM pg_language WHERE lanname = 'sql')"
)
# Whoever calls an INVOKER writes each table and runs each function of it itself.
_ALLOWED: Final = (
    "GRANT ALL ON ALL TABLES IN SCHEMA public TO musclemap_app;"
    " GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO musclemap_app"
)
_EVENTS: Final = """
INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body)
SELECT 'musclemap', 'user:' || u.id, n, gen_random_uuid(), now(),
       json_build_object('id', gen_random_uuid(), 'v', 1, 'type', 'workout_completed', 'created_at', now(),
                         'actor', json_build_object('id', u.id, 'name', u.name),
                         'data', json_build_object('note', repeat('x', 700)))
  FROM users AS u, generate_series(1, $1) AS n ON CONFLICT DO NOTHING
"""
_HEADS: Final = """
INSERT INTO feed_channels (namespace, channel, last_offset)
SELECT 'musclemap', 'user:' || id, $1 FROM users ON CONFLICT DO NOTHING
"""

_PAGE: Final = load_queries(feed.__file__)["page"]
_UNASKED_PAGE: Final = load_queries(__file__, "rows.sql")["page"]

Work = Callable[[Database, UUID], Awaitable[Any]]


class _Unsaid(Database):
    """As it was: transactions that say nothing of who asks."""

    @asynccontextmanager
    async def _begun(self, connection: asyncpg.Connection, mode: str, then: str = "") -> AsyncIterator[None]:
        await connection.execute(f"BEGIN ISOLATION LEVEL {mode}; {then}")
        yield
        await connection.execute("COMMIT")


async def run(settings: Settings) -> list[dict[str, Any]]:
    """A row for each of the two. Needs a migrated database, and leaves its users behind."""
    owner = await asyncpg.connect(settings.database_owner_url.get_secret_value())
    users = await make_users(owner, CLIENTS)
    for statement in (_EVENTS, _HEADS):
        await owner.execute(statement.replace("$1", str(EVENTS)))
    await owner.execute("ANALYZE")
    pool = make_pool(settings)
    await connect(pool)
    try:
        reference = Reference()
        await reference.load(pool)
        raw = some_workout(reference)
        wake = Wake(connect_redis("redis://127.0.0.1:1"))  # set, never sent

        async def workout(db: Database, user: UUID) -> None:
            await Workouts(db, reference, wake, 0).log(user, raw, str(uuid7()), datetime.now(UTC))

        async def page(db: Database, user: UUID) -> None:
            # Read and no more, on both sides: a server that waits for its client meets each page with colder caches.
            channel, query = dashboard(user), _UNASKED_PAGE if isinstance(db, _Unsaid) else _PAGE
            row = await db.fetchrow(query, channel.namespace, channel.name, None, PAGE + 1)
            if len(row["offsets"]) != PAGE + 1:
                raise RuntimeError("the page is not whole")

        server = parent_of(await owner.fetchval("SELECT pg_backend_pid()"))
        sides = {True: Database(pool), False: _Unsaid(pool)}
        rows = []
        for what, work in (("a workout", workout), (f"a page of {PAGE} events", page)):
            us: dict[bool, list[float]] = {True: [], False: []}
            for number in range(2 * ROUNDS):
                forced = (number + number // 2) % 2 == 0  # each goes first as often as the other
                await _force(owner, forced=forced)
                us[forced].append(await _round(sides[forced], users, work, partial(server_cpu_s, server)))
            rows.append(_row(what, us))
        return rows
    finally:
        await _force(owner, forced=True)
        await pool.close()
        await owner.close()


async def _force(owner: asyncpg.Connection, *, forced: bool) -> None:
    for row in await owner.fetch(_TABLES):
        await owner.execute(f"ALTER TABLE {row['name']} {'ENABLE' if forced else 'DISABLE'} ROW LEVEL SECURITY")
    for row in await owner.fetch(_WORKOUT):
        await owner.execute(f"ALTER FUNCTION {row['name']} SECURITY {'DEFINER' if forced else 'INVOKER'}")
    await owner.execute(_ALLOWED)


async def _round(db: Database, users: list[UUID], work: Work, cpu_s: Callable[[], float]) -> float:
    """Microseconds of the server's CPU for one `work`; each client has a user of its own."""
    done = 0

    async def client(user: UUID, until: float) -> None:
        nonlocal done
        while time.monotonic() < until:
            await work(db.of(user), user)
            done += 1

    async def all_for(seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            for user in users:
                group.create_task(client(user, time.monotonic() + seconds))

    await all_for(WARM_S)
    done, before = 0, cpu_s()
    await all_for(ROUND_S)
    return (cpu_s() - before) / done * 1e6


def _row(what: str, us: dict[bool, list[float]]) -> dict[str, Any]:
    forced, free = statistics.median(us[True]), statistics.median(us[False])
    pairs = [one / other for one, other in zip(us[True], us[False], strict=True)]
    return {
        "what": what,
        "server CPU µs": round(forced),
        "without": round(free),
        "cost": f"{statistics.median(pairs) - 1:+.1%}",
        "rounds from": f"{min(pairs) - 1:+.1%}",
        "to": f"{max(pairs) - 1:+.1%}",
    }
