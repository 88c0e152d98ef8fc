"""`python -m api.migrate` as an operator runs it."""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from api.migrate import migrations
from config.embedded.postgres import OWNER, SUPERUSER
from tests.support.ledger import connection
from tests.support.stores import ROOT, TestStores, environment


@pytest.fixture
async def empty(stores: TestStores) -> AsyncIterator[str]:
    """The name of an empty database that the owner of the product's tables owns."""
    name = f"empty_{secrets.token_hex(4)}"
    async with connection(stores.postgres.url(SUPERUSER, "postgres")) as superuser:
        await superuser.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
        yield name
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def run(url: str, owner_url: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api.migrate",
        cwd=ROOT,
        env=environment(DATABASE_URL=url, DATABASE_OWNER_URL=owner_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_two_at_once_are_one(stores: TestStores, empty: str) -> None:
    """Defect seen failing: the advisory lock left out."""
    urls = stores.postgres.url(database=empty), stores.postgres.url(OWNER, empty)
    done = await asyncio.gather(*(run(*urls) for _ in range(3)))
    assert [code for code, _, _ in done] == [0, 0, 0], done
    applied = sorted(out.partition("(")[2].split()[0] for _, out, _ in done)
    assert applied == ["0", "0", str(len(migrations()))]
    assert [out.count("\n") for _, out, _ in done] == [1, 1, 1], done


async def test_keeps_its_data_and_refuses_a_file_that_was_changed(stores: TestStores, empty: str) -> None:
    urls = stores.postgres.url(database=empty), stores.postgres.url(OWNER, empty)
    assert (await run(*urls))[0] == 0
    async with connection(urls[1]) as owner:
        epoch = await owner.fetchval("SELECT epoch FROM installation")
        exercises = await owner.fetchval("SELECT count(*) FROM exercises")
        assert exercises >= 60
        await owner.execute("DELETE FROM exercise_muscles")
        await owner.execute("UPDATE exercises SET name = 'X'")
    assert (await run(*urls))[0] == 0
    async with connection(urls[1]) as owner:
        assert await owner.fetchval("SELECT epoch FROM installation") == epoch
        assert await owner.fetchval("SELECT count(*) FROM exercises WHERE name <> 'X'") == exercises
        assert await owner.fetchval("SELECT count(*) FROM exercise_muscles") > exercises
        await owner.execute("UPDATE schema_migrations SET checksum = 'other' WHERE number = 1")
    code, out, err = await run(*urls)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == (
        "migrate: 0001_tables.sql was changed after it was applied: put it back, add a new file"
    )


async def test_makes_the_role_of_the_application(stores: TestStores, empty: str) -> None:
    role = f"app_{secrets.token_hex(4)}"
    owner_url = stores.postgres.url(OWNER, empty)
    parts = urlsplit(owner_url)
    quoted = "it%27s%20%22odd%22%20%C2%B1"  # quotes, blanks and a sign beyond ASCII
    url = parts._replace(netloc=f"{role}:{quoted}@{parts.hostname}:{parts.port}").geturl()
    try:
        assert (await run(url, owner_url))[0] == 0
        async with connection(url) as app:
            assert await app.fetchval("SHOW transaction_isolation") == "serializable"
            assert await app.fetchval("SELECT count(*) FROM exercises") >= 60
    finally:
        async with connection(stores.postgres.url(SUPERUSER, empty)) as superuser:
            await superuser.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_refuses_roles_that_grants_do_not_bind(stores: TestStores, empty: str) -> None:
    owner_url = stores.postgres.url(OWNER, empty)
    done = await asyncio.gather(*(run(stores.postgres.url(role, empty), owner_url) for role in (OWNER, SUPERUSER)))
    for (code, _, err), says in zip(done, ("one that owns nothing", "above all grants"), strict=True):
        assert code == 1
        assert says in err.splitlines()[-1]


async def test_says_what_is_missing_in_one_line(stores: TestStores, empty: str) -> None:
    url = stores.postgres.url(database=empty)
    done = await asyncio.gather(
        run(url, ""),
        run(url, "postgresql://owner@127.0.0.1:1/x"),
        run(stores.postgres.url(OWNER, empty), url),
    )
    expected = ("DATABASE_OWNER_URL is not set", "DATABASE_OWNER_URL cannot be reached", "may not do this")
    for (code, out, err), says in zip(done, expected, strict=True):
        assert (code, out) == (1, "")
        assert says in err.splitlines()[-1], err
        assert "Traceback" not in err
    async with connection(stores.postgres.url(OWNER, empty)) as owner:
        with pytest.raises(asyncpg.UndefinedTableError):
            await owner.execute("SELECT FROM users")
