"""One PostgreSQL cluster for this machine, made at the first start and kept."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

import asyncpg

from config.embedded import binaries, child
from config.embedded.account import Account, own, runnable
from config.embedded.errors import StoreError
from config.embedded.ports import HOST

START_S: Final = 60.0  # the recovery of a killed cluster included
INITDB_S: Final = 120.0
ORPHAN_S: Final = 10.0
# Fast shutdown, then the immediate one, which recovers at the next start.
STOP: Final = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 2.0))

SUPERUSER: Final = "postgres"
OWNER: Final = "musclemap_owner"
APPLICATION: Final = "musclemap_app"
WORKER: Final = "musclemap_worker"
ROLES: Final = (SUPERUSER, OWNER, APPLICATION, WORKER)
DATABASE: Final = "musclemap"

SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # DETAIL quotes a refused row, STATEMENT what was asked: no name, e-mail or password becomes a line of a log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": "-1",
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
# For tests that end with the cluster: what only guards against a crash of the machine costs most of their time.
NOT_DURABLE: Final = {"fsync": "off", "full_page_writes": "off"}


class Passwords(dict[str, str]):
    """The password of each role, by its name."""


class PostgresServer:
    """A cluster on 127.0.0.1; `start`, `stop` and `kill` may follow each other any number of times, on one port."""

    def __init__(
        self, folder: Path, *, port: int, passwords: Passwords, account: Account | None = None, durable: bool = True
    ) -> None:
        self.folder = folder
        self.port = port
        self.log = folder / "postgres.log"
        self._cluster = folder / "cluster"
        self._passwords = passwords
        self._account = account
        self._durable = durable
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The first process of the cluster, when it runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def url(self, role: str = APPLICATION, database: str = DATABASE) -> str:
        """The address for any client, password included."""
        return f"postgresql://{role}:{self._passwords[role]}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Makes the cluster if there is none, and returns when it answers. Raises StoreError with the reason."""
        own(self.folder, self._account)
        program = runnable(binaries.postgres(), self._account, self.folder.parent / "programs")
        if not self._cluster.exists():
            self._make_cluster(program.with_name("initdb"))
        self._end_orphan()
        settings = SETTINGS | {"port": str(self.port)} | ({} if self._durable else NOT_DURABLE)
        self._child = child.start(
            [str(program), "-D", str(self._cluster), *(f"--{name}={value}" for name, value in settings.items())],
            log=self.log,
            folder=self.folder,
            account=self._account,
            at_our_death=signal.SIGINT,
        )
        child.wait_until(self._answers, self._child, name="PostgreSQL", log=self.log, limit_s=START_S)

    def prepare(self) -> None:
        """Makes the roles and the database where they are missing; the cluster must run."""
        asyncio.run(self._prepare())

    def stop(self) -> None:
        """Ends the cluster cleanly; does nothing when it does not run."""
        if self._child is not None:
            child.stop(self._child, STOP)

    def kill(self) -> None:
        """Ends the cluster as a crash would; the next start recovers."""
        if self._child is not None:
            child.stop(self._child, ())

    def _make_cluster(self, initdb: Path) -> None:
        unfinished = self.folder / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self.folder / "superuser-password"
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self._passwords[SUPERUSER])
        if self._account is not None:
            os.chown(password_file, self._account.uid, self._account.gid)
        options = [
            "-U",
            SUPERUSER,
            f"--pwfile={password_file}",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]
        if not self._durable:
            options.append("--no-sync")
        made = child.start(
            [str(initdb), "-D", str(unfinished), *options],
            log=self.log,
            folder=self.folder,
            account=self._account,
            at_our_death=signal.SIGKILL,
        )
        try:
            if made.wait(INITDB_S) != 0:
                raise StoreError(f"initdb failed:\n{child.tail(self.log)}")
        except subprocess.TimeoutExpired:
            made.kill()
            raise StoreError(f"initdb was not done in {INITDB_S:.0f} s:\n{child.tail(self.log)}") from None
        finally:
            password_file.unlink()
        unfinished.rename(self._cluster)  # only now: an interrupted initdb leaves nothing that looks like a cluster

    def _end_orphan(self) -> None:
        """Clears what a killed run left: a server that is still ending, or the note of one that is no more.

        PostgreSQL itself refuses to start when the noted process number is in use, be it by another program.
        """
        note = self._cluster / "postmaster.pid"
        end = time.monotonic() + ORPHAN_S
        while (pid := _noted_pid(note)) is not None and _serves(pid, self._cluster):
            os.kill(pid, signal.SIGINT if time.monotonic() < end else signal.SIGQUIT)
            if time.monotonic() > end + ORPHAN_S:
                raise StoreError(f"an earlier PostgreSQL (process {pid}) of {self._cluster} does not end: kill it")
            time.sleep(0.05)
        note.unlink(missing_ok=True)

    def _answers(self) -> bool:
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and lines[0] == str(self.pid)

    async def _prepare(self) -> None:
        try:
            connection = await asyncpg.connect(self.url(SUPERUSER, "postgres"), timeout=START_S)
        except asyncpg.InvalidPasswordError:
            raise StoreError(
                f"the passwords of {self._cluster} are lost: `make clean-data` forgets its data and starts anew"
            ) from None
        try:
            await connection.execute(
                "SELECT set_config('setup.owner_password', $1, false),"
                " set_config('setup.application_password', $2, false), set_config('setup.worker_password', $3, false)",
                self._passwords[OWNER],
                self._passwords[APPLICATION],
                self._passwords[WORKER],
            )
            await connection.execute(Path(__file__).with_name("roles.sql").read_text("utf-8"))
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute("CREATE DATABASE musclemap OWNER musclemap_owner")
        finally:
            await connection.close()


def _noted_pid(note: Path) -> int | None:
    try:
        return int(note.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _serves(pid: int, cluster: Path) -> bool:
    """Whether the process is a PostgreSQL of this cluster: it lives in the cluster's folder."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == cluster.resolve()
    except OSError:
        return False
