"""`python -m api.migrate`: brings the database to this release, and the product's roles and reference data with it.

Numbered files run once, in order, as api/ddl.py says, and are remembered with a checksum; grants.sql and policies.sql
run each time.
Two runs at once wait for each other. Needs a direct connection (DATABASE_OWNER_URL), not PgBouncer: the lock belongs to
the session.
"""

import asyncio
import hashlib
import re
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import structlog

from api import ddl
from api.reference import data, store
from config.db.postgres import ENCODING, ERRORS, unfit
from config.limits import DDL_LOCK_S, DDL_TRIES_S
from config.settings import Settings, load

FOLDER: Final = Path(__file__).parent / "migrations"
GRANTS: Final = "grants.sql"
POLICIES: Final = "policies.sql"
SERVER_VERSION_MIN: Final = 150_000
LOCK: Final = 0x6D75_7363_6C65  # "muscle": the advisory lock of this database
LOCK_WAIT_S: Final = 120
LOCK_POLL_S: Final = 0.2
CONNECT_S: Final = 10

# What the product's sessions start with, whoever opens them: through PgBouncer as well.
ROLE_SETTINGS: Final = {
    "default_transaction_isolation": "serializable",
    "synchronous_commit": "on",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
}

_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class MigrationError(Exception):
    """Why the database cannot be migrated, in one line that says what to do."""


class Migration(NamedTuple):
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """The numbered files in their order. Raises MigrationError where two have one number or one is missing."""
    found = [
        Migration(int(match[1]), path.name, path.read_text("utf-8"))
        for path in sorted(folder.glob("*.sql"))
        if (match := _FILE_NAME.fullmatch(path.name))
    ]
    if [one.number for one in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"the files in {folder.name}/ are not numbered 0001, 0002, … without a gap")
    return found


class Role(NamedTuple):
    """A role that serves, as a setting names it."""

    setting: str
    name: str
    password: str | None


def role_of(setting: str, url: str) -> Role:
    """The role that a database URL names, and its password if it has one. Raises MigrationError without a role."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    name = unquote(parts.username) if parts.username else query.get("user", [""])[0]
    if not name:
        raise MigrationError(f"{setting} names no role: write it as postgresql://role@host/database")
    password = unquote(parts.password) if parts.password else query.get("password", [None])[0]
    return Role(setting, name, password)


def roles_of(settings: Settings) -> tuple[Role, Role]:
    """The API's role, and the worker's. Raises MigrationError where they are one, or one is not named."""
    app = role_of("DATABASE_URL", settings.database_url.get_secret_value())
    url = settings.worker_database_url.get_secret_value()
    if not url:
        raise MigrationError(
            "WORKER_DATABASE_URL is not set: the worker has a role of its own. Take DATABASE_URL with another role,"
            f" such as musclemap_worker in place of {app.name}, and a password for it: `make migrate` makes the role"
        )
    worker = role_of("WORKER_DATABASE_URL", url)
    if app.name == worker.name:
        raise MigrationError(
            f"DATABASE_URL and WORKER_DATABASE_URL are both the role {app.name}: the worker sees every row, the API not"
        )
    return app, worker


async def migrate(settings: Settings, folder: Path = FOLDER) -> str:
    """Migrates by the files of `folder`; returns the line to print. Raises MigrationError."""
    roles = roles_of(settings)
    try:
        connection = await asyncpg.connect(settings.database_owner_url.get_secret_value(), timeout=CONNECT_S)
    except (*ERRORS, ValueError) as error:
        raise MigrationError(f"DATABASE_OWNER_URL cannot be reached: {_first_line(error)}") from error
    try:
        await _lock(connection)
        await _check_server(connection)
        for role in roles:
            await _check_role(connection, role, [other.name for other in roles])
            await _ensure_role(connection, role.name, role.password)
        await connection.execute(
            "SELECT set_config('musclemap.app_role', $1, false), set_config('musclemap.worker_role', $2, false)",
            *(role.name for role in roles),
        )
        applied = await _apply(connection, migrations(folder))
        await ddl.apply(connection, (FOLDER / GRANTS).read_text("utf-8"), _forgotten)
        await ddl.apply(connection, (FOLDER / POLICIES).read_text("utf-8"), _forgotten)
        known = data.load()
        await ddl.patiently(connection, lambda: store.upsert(connection, known))
        await ddl.patiently(connection, lambda: store.upsert_goals(connection, data.load_goals(known)))
    except ddl.LockedError:
        raise MigrationError(f"a table was in use for {DDL_TRIES_S} s: try again when that is over") from None
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(f"the role of DATABASE_OWNER_URL may not do this: {_first_line(error)}") from error
    except asyncpg.PostgresError as error:
        raise MigrationError(_first_line(error)) from error
    finally:
        await connection.close(timeout=CONNECT_S)
    total = len(migrations(folder))
    who = " and ".join(role.name for role in roles)
    return f"database is at migration {total} ({applied} applied now), reference data and rights of {who} are current"


async def _lock(connection: asyncpg.Connection) -> None:
    await connection.execute(f"SET lock_timeout TO '{LOCK_WAIT_S}s'; SET statement_timeout TO 0; SET timezone TO 'UTC'")
    end = time.monotonic() + LOCK_WAIT_S
    # Not by waiting in the server: that is a transaction, for whose end CREATE INDEX CONCURRENTLY waits in its turn.
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        if time.monotonic() >= end:
            raise MigrationError(f"another migration has been running for {LOCK_WAIT_S} s: wait for it, or end it")
        await asyncio.sleep(LOCK_POLL_S)
    await connection.execute(f"SET lock_timeout TO '{DDL_LOCK_S}s'")


async def _check_server(connection: asyncpg.Connection) -> None:
    version = await connection.fetchval("SELECT current_setting('server_version_num')::int")
    if version < SERVER_VERSION_MIN:
        raise MigrationError(f"PostgreSQL {version // 10_000} is too old: 15 or newer is needed")
    encoding = await connection.fetchval("SELECT current_setting('server_encoding')")
    if encoding != ENCODING:
        raise MigrationError(unfit(encoding))


async def _check_role(connection: asyncpg.Connection, role: Role, others: list[str]) -> None:
    if await connection.fetchval("SELECT current_user = $1", role.name):
        raise MigrationError(
            f"{role.setting} and DATABASE_OWNER_URL are both the role {role.name}:"
            " who serves needs one that owns nothing"
        )
    if await connection.fetchval("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = $1", role.name):
        raise MigrationError(
            f"the role {role.name} of {role.setting} is above all grants: who serves needs a plain one"
        )
    above = await connection.fetchval(
        "SELECT min(rolname) FROM pg_roles WHERE (rolname = current_user OR rolname = ANY ($2)) AND rolname <> $1"
        " AND pg_has_role((SELECT oid FROM pg_roles WHERE rolname = $1), oid, 'MEMBER')",
        role.name,
        others,
    )
    if above:
        raise MigrationError(
            f"the role {role.name} of {role.setting} is a member of {above}, whose rights it has too:"
            f" REVOKE {above} FROM {role.name}"
        )


async def _ensure_role(connection: asyncpg.Connection, role: str, password: str | None) -> None:
    """Makes the role where it is missing, and gives it its settings where they differ."""
    if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        # The server itself quotes what goes into the statements: a role's name and password are no parameters there.
        statement = await connection.fetchval(
            "SELECT format('CREATE ROLE %I LOGIN', $1::text) || coalesce(format(' PASSWORD %L', $2::text), '')",
            role,
            password,
        )
        await connection.execute(statement)
    kept = await connection.fetchval(
        "SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = 0 AND setrole = $1::text::regrole",
        ddl.quoted(role),
    )
    present = dict(line.split("=", 1) for line in kept or [])
    for name, value in ROLE_SETTINGS.items():
        if {key.lower(): text for key, text in present.items()}.get(name) != value:
            statement = await connection.fetchval(
                "SELECT format('ALTER ROLE %I SET %I TO %L', $1::text, $2::text, $3::text)", role, name, value
            )
            await connection.execute(statement)


async def _apply(connection: asyncpg.Connection, files: list[Migration]) -> int:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number integer PRIMARY KEY, name text NOT NULL,"
        " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    done = {row["number"]: row["checksum"] for row in await connection.fetch("SELECT * FROM schema_migrations")}
    applied = 0
    for file in files:
        if file.number in done:
            if done[file.number] != file.checksum:
                raise MigrationError(f"{file.name} was changed after it was applied: put it back, add a new file")
            continue

        async def note(file: Migration = file) -> None:
            await connection.execute(
                "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
                file.number,
                file.name,
                file.checksum,
            )

        try:
            await ddl.apply(connection, file.sql, note)
        except ddl.LockedError:
            raise MigrationError(
                f"{file.name}: a table was in use for {DDL_TRIES_S} s, by a backup perhaps: try again when that is over"
            ) from None
        except asyncpg.InsufficientPrivilegeError:
            raise
        except asyncpg.PostgresError as error:
            raise MigrationError(f"{file.name}: {_first_line(error)}") from error
        applied += 1
    return applied


async def _forgotten() -> None:
    """What runs each time is not remembered."""


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]


def main() -> None:
    """Exits 0 and prints one line, or exits 1 with one line that says what to do."""
    settings = load()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output has one line
    settings.require("database_url", "database_owner_url")
    try:
        line = asyncio.run(migrate(settings))
    except MigrationError as error:
        sys.exit(f"migrate: {error}")
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
