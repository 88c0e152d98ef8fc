"""The embedded stores, as `make stores`, `make run` and every test with a store use them."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from config.embedded.errors import StoreError
from config.embedded.folder import forget
from config.embedded.postgres import PostgresServer
from config.redis import RedisClient, connect, fault
from tests.support.commands import Command, processes_with, wait_gone
from tests.support.stores import Database, TestStores


@pytest.fixture
def data_dir(stores_folder: Path, tmp_path: Path) -> Iterator[Path]:
    """A DATA_DIR of the test's own; nothing that uses it may outlive the test."""
    folder = stores_folder / tmp_path.name
    yield folder
    wait_gone(str(folder))


def addresses(command: Command) -> dict[str, str]:
    command.wait_line("^READY$")
    return dict(line.split("=", 1) for line in command.lines if "=" in line)


async def test_the_application_role_owns_nothing_and_cannot_make_tables(database: Database) -> None:
    """Seen failing with the owner's role granted to the application's."""
    connection = await asyncpg.connect(database.url)
    try:
        owned = await connection.fetchval(
            "SELECT count(*) FROM pg_class JOIN pg_roles ON relowner = pg_roles.oid WHERE rolname = current_user"
        )
        assert owned == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE mine (id int)")
    finally:
        await connection.close()


async def test_nobody_gets_in_without_the_password(database: Database) -> None:
    """Seen failing with `-A trust`."""
    without = database.url.replace(database.url.split("@")[0], "postgresql://musclemap_app")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(without, password="wrong")


@pytest.mark.parametrize("time", ["first", "second"])
async def test_redis_url_is_empty_for_each_test(redis_url: str, time: str) -> None:
    redis = connect(redis_url)
    try:
        assert await redis.dbsize() == 0
        await redis.set("left", "behind")
    finally:
        await redis.aclose()


async def test_make_stores_prints_addresses_that_work_and_keeps_the_data(data_dir: Path) -> None:
    """Also after kill -9. Seen failing without PR_SET_PDEATHSIG: the servers stayed."""
    with Command("config.embedded", DATA_DIR=str(data_dir)) as first:
        urls = addresses(first)
        assert list(urls) == ["DATABASE_URL", "WORKER_DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"]
        owner = await asyncpg.connect(urls["DATABASE_OWNER_URL"])
        await owner.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
        await owner.close()
        redis = connect(urls["REDIS_URL"])
        assert await redis.ping()
        await redis.aclose()
        first.process.kill()
        first.process.wait()
        with Command("config.embedded", DATA_DIR=str(data_dir)) as second:
            owner = await asyncpg.connect(addresses(second)["DATABASE_OWNER_URL"])
            assert await owner.fetchval("SELECT id FROM kept") == 7
            await owner.close()
            second.process.send_signal(signal.SIGTERM)
            assert second.wait_end() == 0


def test_one_data_dir_serves_one_at_a_time_and_is_not_forgotten_meanwhile(data_dir: Path) -> None:
    """Seen failing with the lock not taken."""
    with Command("config.embedded", DATA_DIR=str(data_dir)) as first:
        first.wait_line("^READY$")
        with Command("config.embedded", DATA_DIR=str(data_dir)) as second:
            second.wait_line(f"in use by process {first.process.pid}")
            assert second.wait_end() == 1
        with pytest.raises(StoreError, match="in use"):
            forget(data_dir)
        first.process.send_signal(signal.SIGINT)
        assert first.wait_end() == 0
    forget(data_dir)
    assert list(data_dir.iterdir()) == []


async def test_a_store_that_is_killed_comes_back_where_it_was(data_dir: Path) -> None:
    """Seen failing without `Stores.watch`."""
    with Command("config.embedded", DATA_DIR=str(data_dir)) as command:
        urls = addresses(command)
        folder = str(data_dir / "postgres" / "cluster")
        (pid,) = [int(line) for line in (Path(folder) / "postmaster.pid").read_text().splitlines()[:1]]
        for number in (pid, *processes_with(str(data_dir / "valkey"))):
            os.kill(number, signal.SIGKILL)
        command.wait_line("PostgreSQL ended: starting it again")
        command.wait_line("Valkey ended: starting it again")
        redis = connect(urls["REDIS_URL"])
        async with asyncio.timeout(20):
            await eventually_answers(redis)
            await redis.aclose()
            connection = await eventually_connect(urls["DATABASE_URL"])
            assert await connection.fetchval("SELECT true")
            await connection.close()


async def eventually_answers(redis: RedisClient) -> None:
    while True:
        if await fault(redis) is None:
            return
        await asyncio.sleep(0.05)


async def eventually_connect(url: str) -> asyncpg.Connection:
    while True:
        try:
            return await asyncpg.connect(url)
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.05)


async def test_the_note_of_another_process_is_no_obstacle(own_stores: TestStores) -> None:
    """After a crash of the machine another program may have the old server's number. Seen failing (the server said
    that another one was running) with the note left in place."""
    server: PostgresServer = own_stores.postgres
    server.kill()
    note = server.folder / "cluster" / "postmaster.pid"
    lines = note.read_text().splitlines()
    note.write_text("\n".join([str(own_stores.valkey.pid), *lines[1:]]) + "\n")  # a process of the same account
    server.start()
    connection = await asyncpg.connect(own_stores.database.url)
    assert await connection.fetchval("SELECT true")
    await connection.close()
