"""`python -m api.backups dump` and `restore FILE`; config/deploy/backup and restore are these.

A dump is one file of pg_dump's custom format, of all rows, without owners and grants; row level security stays out of
a restore as well: `make migrate` gives all of these, whatever the roles are called by then. It is kept only when it was
restored into a database beside (`…_backup_check`), which is dropped again. A restore is one transaction, and ends with
a new epoch: nobody goes on from a position of another past.
"""

import argparse
import asyncio
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import structlog

from api import ddl
from api.migrate import MigrationError, migrate, roles_of
from config.db.postgres import ENCODING, unfit
from config.settings import Settings, load

RESTORED: Final = Path(__file__).with_name("restored.sql")
LOCK_WAIT_S: Final = 60
_NAME: Final = "musclemap-%Y%m%dT%H%M%SZ.dump"
_UNFINISHED: Final = ".unfinished"
# Entries of a dump's list of contents that are not restored: policies name roles, which another server may lack, and
# without them row level security hides every row from the owner too.
_LEFT_OUT: Final = re.compile(r"^\d+; \d+ \d+ (POLICY|ROW SECURITY) ")
# Parameters of an address that the clients of PostgreSQL take from their environment.
_VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
    "passfile": "PGPASSFILE",
}
_IS_EMPTY: Final = (
    "SELECT current_setting('server_encoding'), count(*) FROM pg_catalog.pg_class"
    " WHERE relnamespace = 'public'::pg_catalog.regnamespace AND relkind IN ('r', 'p')"
)


class BackupError(Exception):
    """Why there is no dump, or nothing was restored, in words that say what to do."""


def libpq(url: str) -> dict[str, str]:
    """The environment by which PostgreSQL's own clients find what the address names: a command line is read by all.

    Raises BackupError for a parameter that has no such variable.
    """
    parts = urlsplit(url)
    credentials, _, places = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    hosts = [
        place.rpartition(":") if place[-1:] != "]" and ":" in place else (place, "", "") for place in places.split(",")
    ]
    found = {
        "user": unquote(user),
        "password": unquote(password),
        "host": ",".join(unquote(host).strip("[]") for host, _, _ in hosts),
        "port": ",".join(port for _, _, port in hosts).strip(","),
        "dbname": unquote(parts.path.removeprefix("/")),
        **dict(parse_qsl(parts.query)),
    }
    unknown = sorted(set(found) - set(_VARIABLES))
    if unknown:
        raise BackupError(f"DATABASE_OWNER_URL has {', '.join(unknown)}, which a backup does not know: leave it out")
    return {_VARIABLES[name]: value for name, value in found.items() if value}


class Programs:
    """PostgreSQL's clients, for one database."""

    def __init__(self, settings: Settings, database: str = "") -> None:
        """`database`: another one of the same server."""
        self._where = settings.postgres_bin or None
        self.env = libpq(settings.database_owner_url.get_secret_value())
        if database:
            self.env["PGDATABASE"] = database

    def command(self, name: str, *words: str) -> list[str]:
        """Raises BackupError where the program is missing."""
        found = shutil.which(name, path=self._where)
        if found is None:
            raise BackupError(f"{name} is not installed: install PostgreSQL's client programs, or set POSTGRES_BIN")
        return [found, "--no-password", *words]

    def psql(self, statement: str) -> str:
        """What the statement returns: a line a row, columns with `|` between. Raises BackupError."""
        words = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement)
        return self.run(self.command("psql", *words)).strip()

    def run(self, command: Sequence[str]) -> str:
        """Its output. Raises BackupError with the end of what it complained about."""
        done = subprocess.run(command, env=self._whole(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BackupError(_complaint(command, done.stderr))
        return done.stdout

    def load(self, dump: Path) -> None:
        """Puts all of the dump into the database, and a new epoch, or nothing. Raises BackupError."""
        listed = self.run(self.command("pg_restore", "--list", str(dump)))
        writing = self.command("psql", "-X", "-q", "-o", os.devnull, "-v", "ON_ERROR_STOP=1", "-f", "-")
        env = self._whole()
        with (
            tempfile.NamedTemporaryFile("w", encoding="utf-8") as contents,
            tempfile.TemporaryFile() as said,
            subprocess.Popen(writing, env=env, stdin=PIPE, stderr=said) as writer,
        ):
            contents.writelines(line for line in listed.splitlines(keepends=True) if not _LEFT_OUT.match(line))
            contents.flush()
            words = ("--no-owner", "--no-privileges", f"--use-list={contents.name}", "--file=-", str(dump))
            reading = self.command("pg_restore", *words)
            read = self._read_into(writer, reading, env)
            writer.wait()
            said.seek(0)
            complaint = said.read().decode("utf-8", "replace")
        if writer.returncode != 0:
            raise BackupError(_complaint(writing, complaint))
        if read is None or read.returncode != 0:
            raise BackupError(_complaint(reading, read.stderr if read else ""))

    @staticmethod
    def _read_into(
        writer: subprocess.Popen[bytes], reading: Sequence[str], env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str] | None:
        """What became of `reading`, whose output went to the writer in a transaction. None: the writer had ended."""
        if writer.stdin is None:
            return None
        try:
            with writer.stdin as pipe:
                pipe.write(b"BEGIN;\n")
                pipe.flush()
                read = subprocess.run(reading, env=env, stdout=pipe, stderr=PIPE, text=True, check=False)
                if read.returncode == 0:  # else the input ends without a COMMIT, and nothing was done
                    pipe.write(RESTORED.read_bytes() + b"\nCOMMIT;\n")
        except BrokenPipeError:
            return None
        return read

    def _whole(self) -> Mapping[str, str]:
        # Nobody's PGOPTIONS or PGSERVICE, and no language but the one that we read.
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "DATABASE_"))}
        return {**ours, **self.env, "LC_ALL": "C.UTF-8", "PGCLIENTENCODING": ENCODING}


def dump(settings: Settings, now: datetime) -> Path:
    """A new dump in BACKUP_DIR that was seen to restore; then those over BACKUP_DAYS are gone. Raises BackupError."""
    folder = settings.backup_dir
    source = Programs(settings)
    with _alone(folder):
        for left in folder.glob(f"*{_UNFINISHED}"):
            left.unlink()
        path = folder / now.strftime(_NAME)
        unfinished = path.with_name(path.name + _UNFINISHED)
        unfinished.touch(mode=0o600)
        try:
            wait = f"--lock-wait-timeout={LOCK_WAIT_S}s"
            # The owner's policies hide nothing from it; without the word pg_dump refuses what policies are forced on.
            words = ("--format=custom", "--no-owner", "--no-privileges", "--enable-row-security", wait)
            source.run(source.command("pg_dump", *words, f"--file={unfinished}"))
            check(settings, source, unfinished)
            _keep(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        for old in folder.glob("musclemap-*.dump"):
            if is_over(old.name, now, settings.backup_days):
                old.unlink()
    return path


def check(settings: Settings, source: Programs, path: Path) -> None:
    """Restores the dump into a database of its own, which is dropped after it. Raises BackupError."""
    name = f"{source.env['PGDATABASE']}_backup_check"
    drop = f"DROP DATABASE IF EXISTS {ddl.quoted(name)} WITH (FORCE)"
    source.psql(drop)
    try:
        source.psql(f"CREATE DATABASE {ddl.quoted(name)} TEMPLATE template0 ENCODING '{ENCODING}' LOCALE 'C'")
        Programs(settings, name).load(path)
    finally:
        source.psql(drop)


def restore(settings: Settings, path: Path) -> str:
    """Restores the dump into the empty database of DATABASE_OWNER_URL and migrates it; the line to print.

    Raises BackupError or MigrationError.
    """
    if not path.is_file():
        raise BackupError(f"there is no file {path}")
    roles_of(settings)  # it will be migrated for them
    target = Programs(settings)
    encoding, _, tables = target.psql(_IS_EMPTY).partition("|")
    if encoding != ENCODING:
        raise BackupError(unfit(encoding))
    if tables != "0":
        raise BackupError(
            f"the database {target.env['PGDATABASE']} has {tables} tables: a dump is restored into an empty one."
            " Rename this one and make another"
        )
    target.load(path)
    return asyncio.run(migrate(settings))


def is_over(name: str, now: datetime, days: int) -> bool:
    """Whether a dump of this name is older than so many days; what has no time in its name is not ours."""
    try:
        return datetime.strptime(name, _NAME).replace(tzinfo=UTC) < now - timedelta(days=days)
    except ValueError:
        return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the folder, which is made where it is missing. Raises BackupError where another backup runs."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError:
        raise BackupError("another backup is under way") from None
    except OSError as error:
        raise BackupError(f"BACKUP_DIR {folder}: {error.strerror}") from error


def _keep(unfinished: Path, path: Path) -> None:
    """Under its name it is whole, also after the machine has crashed."""
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _complaint(command: Sequence[str], said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return f"{Path(command[0]).name}: {lines[0].removeprefix(f'{Path(command[0]).name}: ') if lines else 'failed'}"


def main() -> None:
    """Exits 0 and prints one line, or exits 1 with one line that says what to do."""
    parser = argparse.ArgumentParser(prog="python -m api.backups", description="Dumps the database, or restores it.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("dump", help="into BACKUP_DIR; checks that it restores, and drops those over BACKUP_DAYS")
    commands.add_parser("restore", help="into an empty database").add_argument("file", type=Path)
    words = parser.parse_args()
    settings = load()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output has one line
    settings.require("database_owner_url", *(("database_url",) if words.command == "restore" else ()))
    try:
        if words.command == "dump":
            path = dump(settings, datetime.now(UTC))
            line = f"{path}, {path.stat().st_size} bytes, was restored to see that it does"
        else:
            line = f"restored, with a new epoch; {restore(settings, words.file)}"
    except (BackupError, MigrationError) as error:
        sys.exit(f"{words.command}: {error}")
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
