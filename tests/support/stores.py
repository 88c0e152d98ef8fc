"""Real stores for tests: one PostgreSQL and one Valkey for the run, and databases copied from a migrated one."""

import asyncio
import fcntl
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import asyncpg
from pydantic import SecretStr

from config.embedded.account import Account, home, unprivileged
from config.embedded.ports import free_port
from config.embedded.postgres import (
    APPLICATION,
    DATABASE,
    OWNER,
    ROLES,
    SUPERUSER,
    WORKER,
    Passwords,
    PostgresServer,
)
from config.embedded.valkey import ValkeyServer
from config.secret_files import SUFFIX
from config.settings import Settings

ROOT: Final = Path(__file__).resolve().parents[2]
MIGRATE_S: Final = 60
COPY_S: Final = 60
TEMPLATE: Final = "migrated"
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - folders of their own are made in it
_LEFT: Final = re.compile(r"(?:musclemap-(?:run|tests)-|faketime_shm_|sem\.faketime_sem_)(\d+)")
MEMORY_BYTES: Final = 4 * 1024**3  # a container often has 64 MiB there


def in_memory() -> Path | None:
    """Where files of a run lie best, None for where temporary files usually lie: a database is some 700 files, whose
    copy takes 30 ms of CPU in memory and 600 on ext4."""
    with suppress(OSError):
        found = os.statvfs(MEMORY)
        if os.access(MEMORY, os.W_OK) and found.f_bavail * found.f_frsize >= MEMORY_BYTES:
            return MEMORY
    return None


def forget_the_dead() -> None:
    """Takes out of memory what processes left there that were killed: whose number is in its name, and who is gone."""
    for path in MEMORY.iterdir() if MEMORY.is_dir() else ():
        named = _LEFT.match(path.name)
        if named is None or Path(f"/proc/{named[1]}").exists():
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):  # somebody else's
                path.unlink()


class Database:
    """One migrated database of a cluster, by its addresses."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.name = name
        self.url = server.url(APPLICATION, name)
        self.worker_url = server.url(WORKER, name)
        self.owner_url = server.url(OWNER, name)
        self.superuser_url = server.url(SUPERUSER, name)

    @property
    def urls(self) -> dict[str, str]:
        """The settings that lead to it, by the names of their environment variables."""
        return {
            "DATABASE_URL": self.url,
            "WORKER_DATABASE_URL": self.worker_url,
            "DATABASE_OWNER_URL": self.owner_url,
        }

    @property
    def settings(self) -> Settings:
        """The same as a process reads them."""
        return Settings(
            database_url=SecretStr(self.url),
            worker_database_url=SecretStr(self.worker_url),
            database_owner_url=SecretStr(self.owner_url),
        )


class Cluster:
    """A migrated PostgreSQL cluster that nobody runs, for others to start from: making one takes seven seconds of CPU,
    so whichever process of a run comes first makes it for all, and those that come meanwhile wait."""

    def __init__(self, folder: Path) -> None:
        account = unprivileged()
        place = home(folder, account)
        self._folder = place / "postgres"
        made = place / "made.json"
        with (place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                passwords = Passwords({role: secrets.token_hex(16) for role in ROLES})
                self._make(passwords, account)
                made.touch(mode=0o600)
                made.write_text(json.dumps(passwords))
        self.passwords = Passwords(json.loads(made.read_text()))

    def _make(self, passwords: Passwords, account: Account | None) -> None:
        server = PostgresServer(self._folder, port=free_port(), passwords=passwords, account=account, durable=False)
        try:
            server.start()
            server.prepare()
            migrate(environment(**Database(server, DATABASE).urls))
            # A copy to copy from: a template must have no connections, and tests are connected to `musclemap`.
            template = f"CREATE DATABASE {TEMPLATE} TEMPLATE {DATABASE} OWNER {OWNER} STRATEGY file_copy"
            _execute(server.url(SUPERUSER, "postgres"), template)
        finally:
            server.stop()

    def copy_to(self, folder: Path) -> None:
        """The files, with their owner, for a server that has these passwords."""
        subprocess.run(["cp", "-a", str(self._folder), str(folder)], check=True, timeout=COPY_S)


class TestStores:
    """The stores of a test run, in a folder of their own; the database `musclemap` is migrated."""

    __test__ = False

    def __init__(self, folder: Path, cluster: Cluster, *, durable: bool = False) -> None:
        account = unprivileged()
        place = home(folder, account)
        self._cluster = cluster
        self.valkey = ValkeyServer(place / "valkey", port=free_port(), password=secrets.token_hex(16), account=account)
        self.postgres = PostgresServer(
            place / "postgres", port=free_port(), passwords=cluster.passwords, account=account, durable=durable
        )

    @property
    def database(self) -> Database:
        return Database(self.postgres, DATABASE)

    @property
    def superuser_url(self) -> str:
        return self.postgres.url(SUPERUSER)

    @property
    def redis_url(self) -> str:
        return self.valkey.url

    def environment(self) -> dict[str, str]:
        """What a process of ours needs to find these stores; everything else of ours is left to its default."""
        return environment(**self.database.urls, REDIS_URL=self.redis_url)

    def start(self) -> None:
        self._cluster.copy_to(self.postgres.folder)
        self.valkey.start()
        self.postgres.start()

    def stop(self) -> None:
        self.postgres.stop()
        self.valkey.stop()

    def make_database(self, like: Database | None = None) -> Database:
        """A new migrated database, empty but for the reference data; or a copy of one to which nobody is connected."""
        name, template = f"test_{secrets.token_hex(6)}", like.name if like else TEMPLATE
        self._as_superuser(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER} STRATEGY file_copy")
        return Database(self.postgres, name)

    def drop_database(self, database: Database) -> None:
        self._as_superuser(f"DROP DATABASE {database.name} WITH (FORCE)")

    def _as_superuser(self, statement: str) -> None:
        _execute(self.postgres.url(SUPERUSER, "postgres"), statement)


def _execute(url: str, statement: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(execute())


def environment(**changes: str) -> dict[str, str]:
    """The environment of a process of ours: this one's, without any setting of the product, with `changes`."""
    ours = {name.upper() + suffix for name in Settings.model_fields for suffix in ("", SUFFIX)}
    return {name: value for name, value in os.environ.items() if name.upper() not in ours} | changes


def migrate(env: dict[str, str]) -> None:
    """Runs `python -m api.migrate` as an operator would."""
    done = subprocess.run(
        [sys.executable, "-m", "api.migrate"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=MIGRATE_S,
        check=False,
    )
    assert done.returncode == 0, f"api.migrate failed:\n{done.stdout}{done.stderr}"
