"""What one request, and everybody who is not signed in together, may hold of the pool."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from config.db import database as module
from config.db.database import Database
from config.db.postgres import connect, make_pool
from config.db.queries import Query
from config.db.share import Share
from config.errors import RetryLater
from config.ids import uuid7
from config.settings import Settings
from tests.support.gateway import until

POOL = 8
WAIT = Query("test.wait", "SELECT pg_advisory_xact_lock_shared(7)", lambda _: None)
NOW = Query("test.now", "SELECT 1 AS one", lambda _: None)


@asynccontextmanager
async def blocked(url: str) -> AsyncIterator[Database]:
    """A database on whose lock each WAIT stands until the block ends."""
    blocker = await asyncpg.connect(url)
    pool = make_pool(Settings(database_url=url, database_pool_max=POOL))
    await connect(pool)
    await blocker.execute("SELECT pg_advisory_lock(7)")
    try:
        yield Database(pool)
    finally:
        await blocker.close()
        pool.terminate()


def held(db: Database) -> int:
    return int(db.pool.get_size() - db.pool.get_idle_size())


async def test_one_request_holds_one_connection_and_strangers_half_of_the_pool(database_url: str) -> None:
    """Failed with no shares: two requests of ten pages each held all 8 of 8, and nobody else got one."""
    async with blocked(database_url) as db, asyncio.TaskGroup() as group:
        for _ in range(2):
            request = db.for_request(None)
            for _ in range(10):
                group.create_task(request.fetch(WAIT))
        await until(lambda: held(db) == 2)
        for _ in range(20):
            group.create_task(db.for_request(None).fetch(WAIT))
        await until(lambda: held(db) == POOL // 2)
        mine = db.for_request(uuid7())
        for _ in range(10):
            group.create_task(mine.fetch(WAIT))
        await until(lambda: held(db) == POOL // 2 + 1)
        assert db.waiting == 2 * 9 + 18 + 9
        other = db.for_request(uuid7())
        async with asyncio.timeout(2):  # well before anybody gives up
            assert [row["one"] for row in await other.fetch(NOW)] == [1]
        blocker = await asyncpg.connect(database_url)
        await blocker.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        await blocker.close()
    assert db.waiting == 0


async def test_who_waits_too_long_or_behind_too_many_comes_back_later(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed with the wait unbounded."""
    monkeypatch.setattr(module, "CONNECTION_WAIT_S", 0.2)
    monkeypatch.setattr(module, "ANONYMOUS_READS_WAITING_MAX", 1)
    async with blocked(database_url) as db:
        holding = [asyncio.create_task(db.for_request(None).fetch(WAIT)) for _ in range(POOL // 2)]
        await until(lambda: held(db) == POOL // 2)
        waiting = asyncio.create_task(db.for_request(None).fetch(NOW))
        await until(lambda: db.waiting == 1)
        with pytest.raises(RetryLater):  # the line is full: at once
            await db.for_request(None).fetch(NOW)
        assert not waiting.done()
        with pytest.raises(RetryLater):  # the line did not move
            await waiting
        for task in holding:
            task.cancel()
        await asyncio.gather(*holding, return_exceptions=True)
        assert await db.for_request(None).fetch(NOW)


async def test_a_share_is_given_back_by_whoever_is_cancelled() -> None:
    """Failed with the part taken before the `with` that gives it back began."""
    share = Share(1, 10, 5)

    async def use() -> None:
        with await share.take():
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(use()) for _ in range(5)]
    await until(lambda: share.waiting == 4)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(1):
        with await share.take():
            assert share.waiting == 0
