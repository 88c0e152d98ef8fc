"""`python -m api.migrate` as an operator runs it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from api.migrate import migrations
from config.embedded.postgres import APPLICATION, OWNER, SUPERUSER, WORKER
from tests.support import forks
from tests.support.ledger import connection
from tests.support.stores import TestStores, environment


@pytest.fixture
async def empty(stores: TestStores) -> AsyncIterator[str]:
    """The name of an empty database that the owner of the product's tables owns."""
    name = f"empty_{secrets.token_hex(4)}"
    async with connection(stores.postgres.url(SUPERUSER, "postgres")) as superuser:
        await superuser.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
        yield name
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


def urls_of(stores: TestStores, name: str) -> tuple[str, str, str]:
    """Of the API's role, the owner and the worker's."""
    app, owner, worker = (stores.postgres.url(role, name) for role in (APPLICATION, OWNER, WORKER))
    return app, owner, worker


async def run(url: str, owner_url: str, worker_url: str) -> tuple[int, str, str]:
    env = environment(DATABASE_URL=url, WORKER_DATABASE_URL=worker_url, DATABASE_OWNER_URL=owner_url)
    done = await asyncio.to_thread(forks.run, "api.migrate", env=env)
    return done.returncode, done.stdout, done.stderr


async def test_two_at_once_are_one(stores: TestStores, empty: str) -> None:
    """Defect seen failing: the advisory lock left out."""
    urls = urls_of(stores, empty)
    done = await asyncio.gather(*(run(*urls) for _ in range(3)))
    assert [code for code, _, _ in done] == [0, 0, 0], done
    applied = sorted(out.partition("(")[2].split()[0] for _, out, _ in done)
    assert applied == ["0", "0", str(len(migrations()))]
    assert [out.count("\n") for _, out, _ in done] == [1, 1, 1], done


async def test_keeps_its_data_and_refuses_a_file_that_was_changed(stores: TestStores, empty: str) -> None:
    urls = urls_of(stores, empty)
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
        assert (await run(url, owner_url, stores.postgres.url(WORKER, empty)))[0] == 0
        async with connection(url) as app:
            assert await app.fetchval("SHOW transaction_isolation") == "serializable"
            assert await app.fetchval("SELECT count(*) FROM exercises") >= 60
    finally:
        async with connection(stores.postgres.url(SUPERUSER, empty)) as superuser:
            await superuser.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_refuses_roles_that_grants_do_not_bind(stores: TestStores, empty: str) -> None:
    url, owner_url, worker_url = urls_of(stores, empty)
    above = [stores.postgres.url(role, empty) for role in (OWNER, SUPERUSER)]
    done = await asyncio.gather(
        *(run(one, owner_url, worker_url) for one in above), *(run(url, owner_url, one) for one in above)
    )
    for (code, _, err), says in zip(done, ("one that owns nothing", "above all grants") * 2, strict=True):
        assert code == 1
        assert says in err.splitlines()[-1]
    for setting, (_, _, err) in zip((" DATABASE_URL",) * 2 + ("WORKER_DATABASE_URL",) * 2, done, strict=True):
        assert setting in err


async def test_the_worker_has_a_role_of_its_own(stores: TestStores, empty: str) -> None:
    """An installation of the release before has one role, and hears what to set; a role that is another's too is none
    of its own. Nothing was done then. Seen failing without each of the three checks."""
    url, owner_url, worker_url = urls_of(stores, empty)
    async with connection(stores.postgres.url(SUPERUSER, "postgres")) as superuser:
        await superuser.execute(f"GRANT {WORKER} TO {APPLICATION}")
        try:
            done = [await run(url, owner_url, other) for other in ("", url, worker_url)]
        finally:
            await superuser.execute(f"REVOKE {WORKER} FROM {APPLICATION}")
    expected = (
        "Take DATABASE_URL with another role, such as musclemap_worker",
        "are both the role",
        f"REVOKE {WORKER}",
    )
    for (code, _, err), says in zip(done, expected, strict=True):
        assert code == 1
        assert says in err.splitlines()[-1], err
    async with connection(owner_url) as owner:
        assert not await owner.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")


async def test_says_what_is_missing_in_one_line(stores: TestStores, empty: str) -> None:
    url, _, worker_url = urls_of(stores, empty)
    done = await asyncio.gather(
        run(url, "", worker_url),
        run(url, "postgresql://owner@127.0.0.1:1/x", worker_url),
        run("postgresql://other@127.0.0.1/x", url, worker_url),
    )
    expected = ("DATABASE_OWNER_URL is not set", "DATABASE_OWNER_URL cannot be reached", "may not do this")
    for (code, out, err), says in zip(done, expected, strict=True):
        assert (code, out) == (1, "")
        assert says in err.splitlines()[-1], err
        assert "Traceback" not in err
    async with connection(stores.postgres.url(OWNER, empty)) as owner:
        with pytest.raises(asyncpg.UndefinedTableError):
            await owner.execute("SELECT FROM users")
