"""config/deploy/backup and restore as an operator runs them, over a real PostgreSQL."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect

from config.embedded.postgres import OWNER, SUPERUSER
from tests.support import forks
from tests.support.fronts import DEPLOY
from tests.support.gateway import Talk, until
from tests.support.ledger import connection
from tests.support.people import Person, exercise_ids
from tests.support.processes import Fleet
from tests.support.programs import clients_of
from tests.support.stores import Database, TestStores, environment

RUN_S = 120
PAGE = """query($first: Int, $after: String) { communityFeed(first: $first, after: $after) {
  edges { node { id } } pageInfo { hasNextPage endCursor } position { epoch offset } } }"""


@dataclass
class Backups:
    """The scripts, over one database."""

    env: dict[str, str]
    folder: Path

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """From a folder that is not the checkout's."""
        command = [str(DEPLOY / name), *words]
        env, folder = self.env, self.folder.parent
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=RUN_S, check=False)

    async def dump(self) -> Path:
        done = await asyncio.to_thread(self.run, "backup")
        assert (done.returncode, done.stderr) == (0, ""), done
        path = Path(done.stdout.partition(",")[0])
        assert [file.name for file in self.folder.glob("m*")] == [path.name]
        return path

    async def refusal(self, name: str, *words: str) -> str:
        done = await asyncio.to_thread(self.run, name, *words)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert done.stderr.count("\n") == 1, done.stderr
        assert "postgresql://" not in done.stderr
        return done.stderr


@pytest.fixture
async def backups(stores: TestStores, database: Database, tmp_path: Path) -> AsyncIterator[Backups]:
    async with connection(stores.postgres.url(SUPERUSER, "postgres")) as superuser:
        await superuser.execute(f"ALTER ROLE {OWNER} CREATEDB")
        folder = tmp_path / "backups"
        env = environment(
            **database.urls,
            BACKUP_DIR=str(folder),
            POSTGRES_BIN=clients_of(),
        )
        yield Backups(env, folder)
        await superuser.execute(f"DROP DATABASE IF EXISTS {database.name}_before WITH (FORCE)")
        assert not await superuser.fetchval(
            "SELECT count(*) FROM pg_database WHERE datname = $1", f"{database.name}_backup_check"
        )


async def empty_in_place(stores: TestStores, database: Database) -> None:
    """What the README says: the old one aside, a new one under its name."""
    async with connection(stores.postgres.url(SUPERUSER, "postgres")) as superuser:
        await superuser.execute(f"ALTER DATABASE {database.name} RENAME TO {database.name}_before")
        await superuser.execute(
            f"CREATE DATABASE {database.name} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
        )


class Reader:
    """A client of the gateway that follows the community, and remembers its place."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.since: dict[str, Any] = {}

    async def follows(self, since: dict[str, Any] | None = None) -> dict[str, Any]:
        said = await self.talk.subscribe("community", **({"since": since} if since else {}))
        assert said["type"] == "subscribed", said
        self.since = {"epoch": said["epoch"], "offset": said["offset"]}
        return said

    async def hears(self, count: int) -> list[int]:
        """The offsets of the next events."""
        offsets = [(await self.talk.hear("event"))["offset"] for _ in range(count)]
        self.since["offset"] = offsets[-1]
        return offsets


@asynccontextmanager
async def reading(fleet: Fleet) -> AsyncIterator[Reader]:
    async with connect(fleet.ws_url, proxy=None) as socket:
        await socket.send(json.dumps({"type": "connect"}))
        talk = Talk(socket)
        await talk.hear("welcome")
        yield Reader(talk)


async def all_of(feed: Person) -> tuple[list[str], dict[str, Any]]:
    """Ids of the whole community feed, newest first, and its position."""
    ids: list[str] = []
    after = None
    while True:
        page = (await feed.graphql(PAGE, first=3, after=after))["communityFeed"]
        ids += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return ids, page["position"]
        after = page["pageInfo"]["endCursor"]


async def test_a_restore_is_told_to_everybody(
    stores: TestStores, backups: Backups, database: Database, redis_url: str, tmp_path: Path
) -> None:
    """The drill: events, a dump, more events, the dump restored under gateways that go on, with a Redis that remembers.
    Whoever comes with a place of before hears `recovered: false`, also with one that exists again; nothing has a hole;
    the books are right. Seen failing with the epoch of the dump kept (`recovered: true`), and with its term of the
    lease kept (`UNAVAILABLE`: Redis refused the relay as an older one)."""
    env = environment(**database.urls, REDIS_URL=redis_url)
    async with Fleet(env, tmp_path) as fleet, httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        base = fleet.api.http("").rstrip("/")
        exercise = (await exercise_ids(base, client))[0]
        person = await Person(base, client).sign_up()
        async with reading(fleet) as stays, reading(fleet) as leaves:
            assert (await stays.follows())["recovered"] is None
            await leaves.follows()
            for _ in range(4):
                await person.log_workout(exercise)
            assert await stays.hears(4) == [1, 2, 3, 4]
            dump = await backups.dump()
            await fleet.worker.stop()
            async with connection(database.worker_url) as worker:  # as years of restarts leave it
                await worker.execute("UPDATE leases SET term = term + 1000")
            await fleet.worker.start()
            for _ in range(3):
                await person.log_workout(exercise)
            assert await leaves.hears(7) == [1, 2, 3, 4, 5, 6, 7]
            old = dict(leaves.since)

            await fleet.worker.stop()
            await fleet.api.stop()
            await empty_in_place(stores, database)
            done = await asyncio.to_thread(backups.run, "restore", str(dump))
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("restored, with a new epoch; database is at migration ")
            for service in (fleet.api, fleet.worker):
                await service.start()

            # Who stayed hears that its place is no more, and asks again as before.
            assert (await stays.talk.hear("gap"))["channel"] == "community"
            again = await stays.follows({"epoch": old["epoch"], "offset": 7})
            assert (again["recovered"], again["events"]) == (False, [])
            assert again["epoch"] != old["epoch"]
        await person.sign_in()
        for offset in (1, 4, 5, 7):  # there again, the newest, taken anew, never more
            async with reading(fleet) as back:
                said = await back.follows({"epoch": old["epoch"], "offset": offset})
                assert (said["recovered"], said["offset"], said["events"]) == (False, 4, [])
        async with reading(fleet) as new:
            at = await new.follows()
            for _ in range(2):
                await person.log_workout(exercise)
            assert await new.hears(2) == [5, 6]
        async with reading(fleet) as late:
            said = await late.follows({"epoch": at["epoch"], "offset": 2})
            assert (said["recovered"], [one["offset"] for one in said["events"]]) == (True, [3, 4, 5, 6])
            ids, position = await all_of(Person(base, client))
            assert (len(set(ids)), position) == (6, {"epoch": at["epoch"], "offset": 6})
            assert [one["event"]["id"] for one in said["events"]] == ids[3::-1]
        for extent in ("--since", "--whole"):
            audited = await asyncio.to_thread(audit, env, extent)
            assert audited.returncode == 0, audited.stdout


def audit(env: dict[str, str], extent: str) -> subprocess.CompletedProcess[str]:
    return forks.run("worker", "audit", extent, env=env)


async def test_what_was_restored_gives_nobody_more(stores: TestStores, backups: Backups, database: Database) -> None:
    """Each role has what a migrated database gives it, and sees what it shows; everybody else nothing. Seen failing
    with functions that run as the owner, which are everybody's when they are made."""
    question = """SELECT p.oid::regprocedure::text, r.rolname FROM pg_proc AS p
        CROSS JOIN (SELECT rolname, oid FROM pg_roles UNION SELECT 'public', 0) AS r
        WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
          AND has_function_privilege(r.oid, p.oid, 'EXECUTE') ORDER BY 1, 2"""
    tables = "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    policies = """SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, p.polname, p.polroles::text
        FROM pg_class AS c LEFT JOIN pg_policy AS p ON p.polrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1, 4"""
    questions = (question, tables, policies)
    async with connection(database.owner_url) as owner:
        before = [await owner.fetch(one) for one in questions]
    dump = await backups.dump()
    await empty_in_place(stores, database)
    assert (await asyncio.to_thread(backups.run, "restore", str(dump))).returncode == 0
    async with connection(database.owner_url) as owner:
        assert [await owner.fetch(one) for one in questions] == before
    async with connection(database.url) as application:
        assert await application.fetchval("SHOW default_transaction_isolation") == "serializable"


async def test_a_dump_that_does_not_restore_is_none(backups: Backups, tmp_path: Path) -> None:
    """Empty or cut anywhere, by a pg_dump that calls it done. Seen failing with a list of contents for a check
    (`pg_restore --list`)."""
    dump = await backups.dump()
    whole = dump.read_bytes()
    # pg_dump as it fails when its disk or its server does: half of a file, and sometimes no word about it.
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("psql", "pg_restore"):
        (programs / name).symlink_to(Path(backups.env["POSTGRES_BIN"]) / name)
    broken = Backups({**backups.env, "POSTGRES_BIN": str(programs)}, backups.folder)
    assert "pg_dump is not installed" in await broken.refusal("backup")
    for size in (0, len(whole) // 2, len(whole) - 1):
        (tmp_path / "half").write_bytes(whole[:size])
        (programs / "pg_dump").write_text(f'#!/bin/sh\nfor a; do f=${{a#--file=}}; done; cp "{tmp_path}/half" "$f"\n')
        (programs / "pg_dump").chmod(0o755)
        assert (await broken.refusal("backup")).startswith("dump: p")
        assert [file.name for file in backups.folder.glob("m*")] == [dump.name]


@pytest.mark.chaos
async def test_a_restore_is_all_or_nothing(stores: TestStores, backups: Backups, database: Database) -> None:
    """Into an empty database, and not beside anything. Seen failing with psql's own --single-transaction, which commits
    what it got when the reader of the dump has ended early."""
    dump = await backups.dump()
    assert f"the database {database.name} has " in await backups.refusal("restore", str(dump))
    await empty_in_place(stores, database)
    assert "there is no file" in await backups.refusal("restore", str(dump) + "x")
    whole = dump.read_bytes()
    broken = dump.with_name("broken")
    for damaged in (b"", b"PGDMP", whole[: len(whole) // 2], whole[:-40], whole[: len(whole) * 9 // 10]):
        broken.write_bytes(damaged)
        assert (await backups.refusal("restore", str(broken))).startswith("restore: p")
        async with connection(database.owner_url) as owner:
            assert not await owner.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    assert (await asyncio.to_thread(backups.run, "restore", str(dump))).returncode == 0


async def test_dumps_over_their_days_go_when_a_new_one_is_there(backups: Backups, database: Database) -> None:
    """And never for a backup that failed. Seen failing with the old ones dropped first."""
    backups.folder.mkdir()
    now = datetime.now(UTC)
    names = {days: (now - timedelta(days=days)).strftime("musclemap-%Y%m%dT%H%M%SZ.dump") for days in (1, 29, 31, 400)}
    for name in (*names.values(), "musclemap-notes.dump", "other.dump", "musclemap-1.dump.unfinished"):
        (backups.folder / name).write_text("x")
    failing = Backups({**backups.env, "DATABASE_OWNER_URL": database.owner_url + "x"}, backups.folder)
    assert (await failing.refusal("backup")).startswith("dump: pg_dump: ")
    assert {file.name for file in backups.folder.glob("*.dump")} >= set(names.values())
    done = await asyncio.to_thread(backups.run, "backup")
    assert done.returncode == 0, done.stderr
    kept = {names[1], names[29], "musclemap-notes.dump", "other.dump", Path(done.stdout.partition(",")[0]).name}
    assert {file.name for file in backups.folder.iterdir()} == kept | {".lock"}
    assert {file.stat().st_mode & 0o777 for file in backups.folder.glob("*Z.dump") if file.stat().st_size > 1} == {
        0o600
    }


async def test_one_backup_at_a_time_and_no_secret_in_sight(
    backups: Backups, database: Database, tmp_path: Path
) -> None:
    """Seen failing with the address in pg_dump's command line, which every account of the machine may read."""
    async with connection(database.owner_url) as owner, owner.transaction():
        await owner.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")  # it waits, as for a migration
        first = await asyncio.create_subprocess_exec(str(DEPLOY / "backup"), env=backups.env, stdout=subprocess.PIPE)
        try:
            lines: set[str] = set()

            def dumps() -> bool:
                lines.update(command_lines())
                return any("pg_dump" in line and f"--file={backups.folder}" in line for line in lines)

            await until(dumps)
            assert "another backup is under way" in await backups.refusal("backup")
            password = database.owner_url.partition("@")[0].rpartition(":")[2]
            assert not [line for line in lines if password in line]
        finally:
            with suppress(ProcessLookupError):
                first.terminate()
            await first.wait()


def command_lines() -> list[str]:
    """Of all processes, as everybody sees them."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return found
