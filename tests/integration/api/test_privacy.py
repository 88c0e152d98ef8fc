"""One's own data over HTTP: an export however large, the end of an account, and what bounds both."""

import asyncio
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from api.accounts.passwords import Caller, Passwords
from api.accounts.proofs import Proofs
from api.accounts.revocations import Revocations
from api.privacy.rules import Export
from config import redis
from config.db import database as use
from config.limits import EXPORTS_PER_DAY_MAX, GRAPHQL_ANSWER_BYTES_MAX, PASSWORD_TRIES_MAX
from config.settings import Settings
from tests.integration.api.conftest import PASSWORD, Account, Running
from tests.support.gateway import until
from tests.support.ledger import connection, ledger
from tests.support.people import UNANSWERED
from tests.support.processes import Fleet
from tests.support.stores import Database, environment
from tests.support.traces import in_tables

DELETE: Final = "mutation Delete($password: String!) { deleteMyAccount(password: $password) }"
EXPORT: Final = "mutation { exportMyData { createdAt data } }"
BEGUN: Final = "SELECT true FROM erasures WHERE user_id = $1"
MANY_NOTES: Final = (
    "INSERT INTO workouts (id, user_id, account_id, idempotency_key, input_hash, performed_at, local_date, time_zone,"
    " note, visibility, total_tu, charged, created_at)"
    " SELECT gen_random_uuid(), id, account_id, 'note ' || n, sha256('x'), now(), current_date, 'UTC',"
    " repeat('ü', 2000), '{PRIVATE}', 0, 0, now() FROM users, generate_series(1, 600) AS n WHERE id = $1"
)


def code(answer: dict[str, Any]) -> str:
    found: str = answer["errors"][0]["extensions"]["code"]
    return found


def test_an_export_is_as_large_as_it_must_be(api: Running) -> None:
    """Seen failing with ANSWER_TOO_LARGE, which bounds all else."""
    account = api.account()
    api.sql(MANY_NOTES, uuid.UUID(account.id))
    data = account.graphql(EXPORT)["data"]["exportMyData"]["data"]
    export = msgspec.convert(data, Export, strict=False)
    assert len(msgspec.json.encode(data)) > GRAPHQL_ANSWER_BYTES_MAX
    assert (export.v, export.profile.email, len(export.workouts)) == (1, account.email, 600)
    assert len(export.sessions) == 1
    assert [entry.reason for entry in export.ledger] == ["welcome"]


def test_exports_are_few_a_day(api: Running) -> None:
    """Seen failing with a bound of 100. Whoever asks for several at once asks several times."""
    account = api.account()
    twice = account.graphql("mutation { one: exportMyData { createdAt } two: exportMyData { createdAt } }")
    assert "errors" not in twice
    for _ in range(EXPORTS_PER_DAY_MAX - 2):
        assert "errors" not in account.graphql(EXPORT)
    refused = account.graphql(EXPORT)
    assert code(refused) == "RATE_LIMITED"
    assert "errors" not in api.account().graphql(EXPORT)


def test_a_password_is_tried_a_few_times(api: Running) -> None:
    """Whoever has found an access token guesses no further. Seen failing without the bound."""
    account = api.account()
    for wrong in ("", *("wrong" for _ in range(PASSWORD_TRIES_MAX - 2)), "x" * 300):
        assert code(account.graphql(DELETE, password=wrong)) == "FORBIDDEN"
    assert code(account.graphql(DELETE, password=PASSWORD)) == "RATE_LIMITED"
    api.sql("UPDATE turns SET began_at = began_at - interval '1 hour' WHERE user_id = $1", uuid.UUID(account.id))
    assert account.graphql(DELETE, password=PASSWORD) == {"data": {"deleteMyAccount": True}}
    assert code(account.graphql(DELETE, password=PASSWORD)) == "UNAUTHENTICATED"
    anonymous = account.client.post("/api/graphql", json={"query": EXPORT})
    assert code(anonymous.json()) == "UNAUTHENTICATED"


async def test_an_api_that_dies_in_the_middle_leaves_a_whole_account_or_none(
    database: Database, redis_url: str, tmp_path: Path
) -> None:
    """kill -9 in the middle of a deletion, and as soon as anybody can see something of it: what is left is everything
    or nothing, and what another API finds undone, in PostgreSQL or in Redis, it does. Seen failing with a deletion in
    two transactions."""
    env = environment(**database.urls, REDIS_URL=redis_url)
    fleet = Fleet(env, tmp_path, roles=("api",))
    running = Running(fleet.api, database, fleet.env)
    try:
        await fleet.api.start()
        for seen in (False, True):
            account = await asyncio.to_thread(running.account)
            user = uuid.UUID(account.id)
            async with connection(database.owner_url) as owner:
                deleting = asyncio.create_task(asyncio.to_thread(_deletes, account))
                await asyncio.sleep(0.05)
                if seen:
                    await until(lambda owner=owner, user=user: owner.fetchval(BEGUN, user), 60)
                fleet.api.kill()
                await deleting
                tables = await in_tables(owner, account.id)
                assert tables in (set(), {"erasures", "ended_reads"}) or {"users", "sessions"} <= tables, tables
                await fleet.api.start()
                again = await asyncio.to_thread(account.graphql, DELETE, password=PASSWORD)
                assert "users" in tables or code(again) == "UNAUTHENTICATED"
                assert await in_tables(owner, account.id) <= {"erasures", "ended_reads"}
    finally:
        fleet.clean_up()
        for made in running.opened:
            made.close()


def _deletes(account: Account) -> None:
    with suppress(*UNANSWERED):
        account.graphql(DELETE, password=PASSWORD)


async def test_the_same_work_is_done_whether_an_address_has_an_account_or_not(
    database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashes and statements are counted: time follows. Seen failing with a look-up before the hash that ends it."""
    done: list[str] = []
    timed = use.Transaction._timed

    async def counted(self: use.Transaction, query: Any, *rest: Any) -> Any:
        done.append(query.name)
        return await timed(self, query, *rest)

    monkeypatch.setattr(use.Transaction, "_timed", counted)
    passwords, client = Passwords(), redis.connect(redis_url)
    run = passwords._run

    async def hashed(*args: Any) -> Any:
        done.append("hash")
        return await run(*args)

    monkeypatch.setattr(passwords, "_run", hashed)
    async with ledger(database) as books:
        proofs = Proofs(books.db, Revocations(books.db, client), passwords, Settings())
        known, unknown = f"{await books.user()}@example.org", "nobody@example.org"
        caller = Caller(None, _never)
        for email in (known, unknown):
            done.clear()
            await proofs.join(email, PASSWORD, "Ada", datetime.now(UTC), caller)
            await proofs.reset(email, datetime.now(UTC), caller)
            assert done == ["hash", "accounts.ask_proof"] * 2
        kinds = await books.db.pool.fetch("SELECT kind FROM proofs ORDER BY id")
        assert [row["kind"] for row in kinds] == ["known", "reset", "join", "nobody"]
    passwords.close()
    await client.aclose()


async def _never() -> Any:
    await asyncio.Event().wait()
