"""What years of use cost (`make bench-years`): pages, workouts, the relay, the audit and a start on a filled database,
each beside the same on an empty one. YEARS_WORKOUTS sizes the fill, YEARS_BACKLOG what waits for the relay.

Server, relay and benchmark share this machine; the numbers are for comparing the two columns.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import asyncpg

from api.credits.service import Credits
from api.feed.rules import cursor_of
from api.feed.service import Feeds
from api.outbox import Wake
from api.pages import encode_cursor
from api.reference.service import Reference
from api.workouts.service import Workouts
from config.db.database import Database
from config.db.postgres import connect, make_pool
from config.ids import uuid7
from config.limits import AUDIT_LATE_S
from config.process import configure_logging
from config.redis import RedisClient
from config.redis import connect as connect_redis
from config.settings import Settings
from loadtest.bench.years_fill import fill
from rt.feed.positions import Position
from rt.feed.store import FeedStore
from rt.wire.channels import COMMUNITY, history_key, meta_key, profile_channel, user_channel
from worker.books.audit import audit_next
from worker.jobs import terms
from worker.jobs.runner import run_slot
from worker.relay import Relay

WORKOUTS: Final = 200_000
BACKLOG: Final = 20_000
PEOPLE: Final = 2_000  # who train while it is measured
PAGES: Final = 200
EVENTS_EACH: Final = 1  # the new event of somebody whose history Redis does not have
TRAINING_S: Final = 5.0
DRAIN_S_MAX: Final = 600.0

# Events as the ledger records them, of people who train in turn: $1 how many, $2 of how many people.
_EVENTS: Final = """
WITH people AS (
  SELECT id, account_id, name, row_number() OVER (ORDER BY id DESC) AS n FROM users ORDER BY id DESC LIMIT $2
), told AS (
  SELECT data FROM (VALUES ($3::json)) AS t (data)
)
SELECT count(append_event((lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7000'
                           || substr(md5(random()::text), 1, 16))::uuid, clock_timestamp(), 'musclemap',
                          'workout_completed', 1, p.account_id, p.id, p.name, '{PUBLIC_ANON,PUBLIC_PROFILE}', t.data))
  FROM generate_series(1, $1) AS g JOIN people AS p ON p.n = 1 + g % $2 CROSS JOIN told AS t
"""
_PEOPLE: Final = """
WITH numbered AS (
  SELECT n, gen_random_uuid() AS id, gen_random_uuid() AS account_id FROM generate_series(1, $1) AS n
), opened AS MATERIALIZED (
  SELECT n, id, account_id, open_account(account_id, gen_random_uuid(), 1000000, now()) FROM numbered
)
INSERT INTO users (id, account_id, email, name, password_hash, created_at, updated_at)
SELECT id, account_id, 'bench' || n || '@example.org', 'Bench ' || n, '', now(), now() FROM opened
"""


_STORED: Final = """
SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
 WHERE c.oid = 'feed_positions'::regclass
    OR i.inhparent IN ('activity_events'::regclass, 'stream_positions'::regclass)
"""


class Side:
    """One database, with a Redis of its own that is emptied before."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pool = make_pool(settings, settings.database_owner_url)  # whom no row is hidden from
        self.api = make_pool(settings)
        self.db = Database(self.api)
        self.redis: RedisClient = connect_redis(settings.redis_url.get_secret_value())
        self.users: list[UUID] = []
        self.data = ""

    async def open(self) -> None:
        """Connects, and finds who trains: the first user, and those who came last."""
        await connect(self.pool)
        await connect(self.api)
        await self.redis.flushall()
        owner = await asyncpg.connect(self.settings.database_owner_url.get_secret_value())
        if not await owner.fetchval("SELECT count(*) FROM users"):
            await owner.execute(_PEOPLE.replace("$1", str(PEOPLE)))
        data = (
            "SELECT jsonb_set((body -> 'data')::jsonb, '{workout_id}', to_jsonb(gen_random_uuid()))::text"
            " FROM feed_positions WHERE source IS NULL LIMIT 1"
        )
        self.data = await owner.fetchval(data) or "{}"
        await owner.close()
        first = await self.pool.fetchval("SELECT id FROM users ORDER BY id LIMIT 1")
        rows = await self.pool.fetch("SELECT id FROM users ORDER BY id DESC LIMIT $1", PEOPLE - 1)
        self.users = [first, *(row["id"] for row in rows)]

    async def close(self) -> None:
        await self.redis.aclose()
        await self.pool.close()
        await self.api.close()

    async def pages(self) -> dict[str, str]:
        """Milliseconds of a page of 20: the newest, from the middle on, and the oldest."""
        epoch = await self.pool.fetchval("SELECT epoch FROM installation")
        head = await self.pool.fetchval("SELECT max(last_offset) FROM feed_channels WHERE channel = 'community'") or 0
        ledger = await self.pool.fetchval("SELECT version FROM credit_balances ORDER BY version DESC LIMIT 1")
        rows = {}
        for where, share in (("newest", None), ("middle", 0.5), ("oldest", 0.0)):
            after = None if share is None else cursor_of(Position(epoch, int(head * share) + 20))
            before = None if share is None else encode_cursor(int(ledger * share) + 20)
            feed_ms = await _mean_ms(partial(Feeds(self.db).page, COMMUNITY, 20, after))
            ledger_ms = await _mean_ms(partial(Credits(self.db.of(self.users[0])).ledger, self.users[0], 20, before))
            rows[f"community page, {where}, ms"] = f"{feed_ms:.2f}"
            rows[f"ledger page, {where}, ms"] = f"{ledger_ms:.2f}"
        return rows

    async def train(self) -> dict[str, str]:
        """Workouts a second by the service, 20 at once."""
        reference = Reference()
        await reference.load(self.pool)
        chosen = [
            {"exerciseId": str(one.id), "sets": [{"reps": 10, "weightKg": 60.5}]} for one in reference.exercises()[:2]
        ]
        raw = {"performedAt": datetime.now(UTC), "exercises": chosen}
        wake = Wake(self.redis)
        done, end = 0, time.monotonic() + TRAINING_S

        async def client(number: int) -> None:
            nonlocal done
            turn = number
            while time.monotonic() < end:
                turn += 20
                user_id = self.users[turn % len(self.users)]
                workouts = Workouts(self.db.of(user_id), reference, wake, self.settings.workout_cost)
                await workouts.log(user_id, raw, str(uuid7()), datetime.now(UTC))
                done += 1

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(client(number))
        return {"workouts logged/s": f"{done / TRAINING_S:.0f}"}

    async def append(self, count: int, people: int) -> None:
        async with self.pool.acquire() as connection:
            await connection.execute("SET statement_timeout TO 0")
            await connection.fetchval(_EVENTS, count, people, self.data, timeout=DRAIN_S_MAX)
            await connection.execute("RESET statement_timeout")

    async def relay(self) -> dict[str, str]:
        """Events a second through the relay, and what Redis keeps of each of their people."""
        async with self.relaying():
            await self.drained()
        await self.redis.flushall()
        count = len(self.users) * EVENTS_EACH
        await self.append(count, len(self.users))
        started = time.monotonic()
        async with self.relaying():
            await self.drained()
            took_s = time.monotonic() - started
        names = [name for user in self.users for name in (user_channel(str(user)), profile_channel(str(user)))]
        keys = [key for channel in names for key in (meta_key(channel), history_key(channel))]
        kept = sum([await self.redis.memory_usage(key, samples=0) or 0 for key in keys])
        return {
            "relay, events/s": f"{count / took_s:.0f}",
            "Redis KiB a person": f"{kept / len(self.users) / 1024:.1f}",
        }

    async def backlog(self, count: int) -> dict[str, str]:
        """Seconds until a backlog is numbered and published, and how long new events of others waited meanwhile."""
        await self.append(count, len(self.users) - 20)
        late = self.users[-20:]
        waits: list[float] = []
        done = asyncio.Event()

        async def newcomers() -> None:
            for user in late:
                if done.is_set():
                    return
                waits.append(await self._numbered_s(user))
                await asyncio.sleep(0.5)

        started = time.monotonic()
        async with self.relaying(), asyncio.TaskGroup() as group:
            group.create_task(newcomers())
            await self.drained()
            took_s = time.monotonic() - started
            done.set()
        return {
            f"backlog of {count:,}, s": f"{took_s:.1f}",
            "new event meanwhile, at most s": f"{max(waits, default=0):.2f}",
        }

    async def _numbered_s(self, user: UUID) -> float:
        channel = f"user:{user}"
        head = "SELECT last_offset FROM feed_channels WHERE namespace = 'musclemap' AND channel = $1"
        before = await self.pool.fetchval(head, channel) or 0
        await self.pool.fetchval(
            "SELECT append_event($1, clock_timestamp(), 'musclemap', 'workout_completed', 1, $1, $2, 'Ann',"
            " '{PUBLIC_ANON,PUBLIC_PROFILE}', $3::json)",
            uuid7(),
            user,
            self.data,
        )
        started = time.monotonic()
        while (await self.pool.fetchval(head, channel) or 0) == before:  # noqa: ASYNC110 - told by the database alone
            await asyncio.sleep(0.02)
        return time.monotonic() - started

    async def start(self) -> dict[str, str]:
        """Milliseconds from the start of a relay to the first event that it published, Redis being empty."""
        await self.redis.flushall()
        await self.append(1, 1)
        started = time.monotonic()
        async with self.relaying():
            await self.drained()
            took_s = time.monotonic() - started
        return {"relay's start to its first event, ms": f"{took_s * 1000:.0f}"}

    async def stored(self) -> dict[str, str]:
        """Bytes of events and feeds for each public event, before and after what is over its term went."""
        owner = await asyncpg.connect(self.settings.database_owner_url.get_secret_value())
        told = await owner.fetchval("SELECT last_offset FROM feed_channels WHERE channel = 'community'")
        before = await owner.fetchval(_STORED)
        for job in terms.JOBS.values():
            await run_slot(self.settings, job, datetime.now(UTC), "bench")
        after = await owner.fetchval(_STORED)
        await owner.close()
        return {
            "events and feeds, bytes an event": f"{before / told:.0f}",
            "… without what is over its term": f"{after / told:.0f}",
        }

    async def audited(self) -> dict[str, str]:
        """Seconds of the audit of everything, and of the next one, of what came since."""
        owner = await asyncpg.connect(self.settings.database_owner_url.get_secret_value())
        whole = await audit_next(owner, datetime.now(UTC) - timedelta(hours=1), whole=True)
        since = await audit_next(owner, datetime.now(UTC) + timedelta(seconds=AUDIT_LATE_S))
        await owner.close()
        return {
            "audit of everything, s": f"{whole.took_s:.1f}",
            "audit of what was done here, s": f"{since.took_s:.1f}",
            "findings": str(len(whole.findings) + len(since.findings)),
        }

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        relay = Relay(self.pool, self.redis)
        listening = asyncio.create_task(relay.listen())
        running = asyncio.create_task(relay.run(stopping))
        try:
            yield
        finally:
            stopping.set()
            await running
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def drained(self) -> None:
        """Returns when nothing waits and the community has heard everything."""
        in_redis = FeedStore(self.redis)

        async def waits() -> bool:
            if await self.pool.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
                return True
            head = await self.pool.fetchval("SELECT last_offset FROM feed_channels WHERE channel = 'community'")
            position = await in_redis.head(COMMUNITY)
            return position is None or position.offset < (head or 0)

        async with asyncio.timeout(DRAIN_S_MAX):
            while await waits():  # noqa: ASYNC110 - the relay tells nobody
                await asyncio.sleep(0.01)


async def _mean_ms(work: Callable[[], Awaitable[Any]]) -> float:
    for _ in range(10):  # PostgreSQL has settled on a plan by then
        await work()
    started = time.monotonic()
    for _ in range(PAGES):
        await work()
    return (time.monotonic() - started) / PAGES * 1000


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each figure: of the filled database and of the empty one."""
    size = int(os.environ.get("YEARS_WORKOUTS", WORKOUTS))
    backlog = int(os.environ.get("YEARS_BACKLOG", BACKLOG))
    empty = await _figures(backlog)
    await _anew(environment)
    started = time.monotonic()
    await fill(
        environment["DATABASE_OWNER_URL"], users=max(1_000, size // 5), workouts=size, heavy=max(100, size // 40)
    )
    print(f"years: filled with {size:,} workouts in {time.monotonic() - started:.0f} s", file=sys.stderr)
    filled = await _figures(backlog)
    return [
        {"figure": figure, "empty": empty.get(figure, ""), f"{size:,} workouts": value}
        for figure, value in filled.items()
    ]


async def _figures(backlog: int) -> dict[str, str]:
    configure_logging("bench", "error")  # what is slow here is what is measured
    side = Side(Settings())
    await side.open()
    try:
        figures = await side.pages()
        for part in (side.train, side.relay, side.start, lambda: side.backlog(backlog), side.audited, side.stored):
            figures |= await part()
    finally:
        await side.close()
    return figures


async def _anew(environment: Mapping[str, str]) -> None:
    """The same database, migrated and empty."""
    owner = await asyncpg.connect(environment["DATABASE_OWNER_URL"])
    await owner.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", timeout=DRAIN_S_MAX)
    await owner.close()
    await asyncio.to_thread(subprocess.run, [sys.executable, "-m", "api.migrate"], check=True)
