"""Whatever PostgreSQL answers: callers hear RETRY_LATER, /ready says why, and nothing is lost when it is over."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
import pytest_asyncio

from config.db.sqlstates import Kind, of_state
from tests.integration.api.conftest import PASSWORD
from tests.support.extent import some_or_all
from tests.support.gateway import until
from tests.support.processes import Fleet
from tests.support.sabotage import OURS, SOME_STATES, STATES, Sabotage, sabotaged
from tests.support.stores import Database, TestStores, environment

LOG = """mutation($key: String!, $exercise: ID!, $at: DateTime!) { logWorkout(idempotencyKey: $key, input:
    {performedAt: $at, exercises: [{exerciseId: $exercise, sets: [{reps: 5}]}]}) { existing } }"""
READS = ("{ me { name } }", "{ communityFeed(first: 1) { position { offset } } }", "{ creditBalance { credits } }")
RETRY = ("RETRY_LATER", 503)

pytestmark = pytest.mark.timeout(300)


class Person:
    """Somebody who is signed in, and everything that they ask for."""

    def __init__(self, client: httpx2.AsyncClient, email: str, token: str, exercise: str) -> None:
        self._client = client
        self._email = email
        self._headers = {"authorization": f"Bearer {token}"}
        self._exercise = exercise
        self._at = datetime.now(UTC).isoformat()  # of every workout: a key comes with one input

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = await self._client.post(
            "/api/graphql", json={"query": query, "variables": variables}, headers=self._headers
        )
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def log(self, key: str) -> dict[str, Any]:
        return await self.ask(LOG, key=key, exercise=self._exercise, at=self._at)

    async def everything(self, key: str) -> list[tuple[str, int]]:
        """Code and status of each refusal; nothing for what went well."""
        login = {"email": self._email, "password": PASSWORD}
        other = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, "name": "Bea"}
        rest: tuple[tuple[str, dict[str, str]], ...] = (("login", login), ("register", other), ("refresh", {}))
        bodies = asyncio.gather(self.log(key), *(self.ask(query) for query in READS))
        answers = asyncio.gather(*(self._post(path, body) for path, body in rest))
        told = [
            (error["extensions"]["code"], error["extensions"]["statusCode"])
            for body in await bodies
            for error in body.get("errors", [])
        ]
        for answer in await answers:
            if answer.status_code >= 400:
                told.append((answer.json()["error"]["code"], answer.status_code))
                assert answer.status_code != 503 or int(answer.headers["retry-after"]) >= 1
        return told

    async def _post(self, path: str, body: dict[str, str]) -> httpx2.Response:
        headers = {"sec-fetch-site": "same-origin"}
        return await self._client.post(f"/api/v1/auth/{path}", json=body, headers=headers)

    async def ready(self) -> dict[str, str]:
        """The reasons; none = ready."""
        answer = await self._client.get("/ready")
        reasons: dict[str, str] = answer.json()["reasons"]
        assert answer.status_code == (503 if reasons else 200)
        return reasons


async def person(client: httpx2.AsyncClient) -> Person:
    email = f"{uuid.uuid4().hex}@example.com"
    signing_up = {"email": email, "password": PASSWORD, "name": "Ada"}
    assert (await client.post("/api/v1/auth/register", json=signing_up)).status_code == 201
    token = (await client.post("/api/v1/auth/login", json=signing_up)).json()["accessToken"]
    found = (await client.post("/api/graphql", json={"query": "{ exercises { id } }"})).json()
    return Person(client, email, token, found["data"]["exercises"][0]["id"])


@pytest_asyncio.fixture
async def broken(database: Database) -> AsyncIterator[Sabotage]:
    async with sabotaged(database) as made:
        yield made


@pytest_asyncio.fixture
async def fleet(database: Database, stores: TestStores, tmp_path: Path) -> AsyncIterator[Fleet]:
    redis_url = stores.redis_url.removesuffix("/0") + "/6"  # the run's gateways go by the keys in the first one
    env = environment(**database.urls, REDIS_URL=redis_url)
    async with Fleet(env, tmp_path, roles=("api", "worker")) as running:
        yield running


@pytest_asyncio.fixture
async def ada(fleet: Fleet) -> AsyncIterator[Person]:
    async with httpx2.AsyncClient(base_url=fleet.api.http("").rstrip("/"), timeout=60, trust_env=False) as client:
        yield await person(client)


@some_or_all("states", SOME_STATES, STATES)
async def test_whatever_state_it_answers_callers_come_back(
    states: Sequence[str], broken: Sabotage, database: Database, fleet: Fleet, ada: Person
) -> None:
    """Each SQLSTATE in turn on every table. What is the database's fault is RETRY_LATER and, where it is nothing that
    one statement meets by chance, the reason of /ready; what was refused is logged afterwards under the same key. No
    process ends, and each goes on when it is over. Failed before: INTERNAL in most of them, and /ready knew nothing."""
    api, worker = fleet.api.pid, fleet.worker.pid
    wrong: dict[str, Any] = {}
    for state in states:
        await broken.begin(state)
        told = await ada.everything(f"key-{state}")
        reasons = await ada.ready()
        await broken.end()
        expected = of_state(state)
        good = {RETRY} if state not in OURS else {("INTERNAL", 500), ("CONFLICT", 409)}
        if not set(told) <= good or len(told) < 6:
            wrong[state] = told
        if expected.kind is Kind.UNFIT and reasons.get("postgres") != expected.reason:
            wrong[f"{state} ready"] = reasons
        after = await ada.log(f"key-{state}")
        if after.get("errors") or after["data"]["logWorkout"]["existing"]:
            wrong[f"{state} after"] = after
        if not (fleet.api.running and fleet.worker.running):
            pytest.fail(f"a process ended at {state}; wrong: {wrong}")
    assert wrong == {}
    await until(lambda: well(ada), 15)
    assert (fleet.api.pid, fleet.worker.pid) == (api, worker)
    connection = await asyncpg.connect(database.superuser_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM workouts") == len(states)

        async def all_numbered() -> bool:
            return bool(await connection.fetchval("SELECT count(*) = 0 FROM outbox"))

        await until(all_numbered)
    finally:
        await connection.close()


async def well(ada: Person) -> bool:
    return await ada.ready() == {}


async def test_a_server_that_cannot_says_so_itself(database: Database, fleet: Fleet, ada: Person) -> None:
    """Read-only, without a table, without a right, with no connection left, and with every connection ended: as real
    servers say it. What was refused is done afterwards. Failed before: INTERNAL to whoever wrote meanwhile.
    Seen failing with connections that are kept to a server that is read-only."""
    role = database.url.split("//")[1].split(":")[0]
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"  # noqa: S608
    # What is read-only is left as after a failover: the connections that there are stay with it.
    faults = {
        "too many connections": (
            f"ALTER DATABASE {database.name} CONNECTION LIMIT 0; {end}",
            f"ALTER DATABASE {database.name} CONNECTION LIMIT -1",
        ),
        "not as migrated": ("ALTER TABLE sessions RENAME TO s2", "ALTER TABLE s2 RENAME TO sessions"),
        "refuses us": (
            f"REVOKE ALL ON sessions, activity_events FROM {role}",
            f"GRANT ALL ON sessions, activity_events TO {role}",
        ),
        "read-only": (
            f"ALTER DATABASE {database.name} SET default_transaction_read_only = on; {end}",
            f"ALTER DATABASE {database.name} RESET default_transaction_read_only",
        ),
    }
    superuser = await asyncpg.connect(database.superuser_url)
    try:
        for reason, (fault, cure) in faults.items():
            await superuser.execute(fault)

            async def says(expected: str = reason) -> bool:
                return (await ada.ready()).get("postgres") == expected

            async def fails(key: str = reason) -> bool:
                told = await ada.everything(key)
                assert set(told) <= {RETRY}, told
                return bool(told)

            async def logged(key: str = reason) -> bool:
                return (await ada.log(key)).get("errors") is None

            await until(fails)
            await until(says)
            await superuser.execute(cure)
            if reason == "read-only":  # the last; by itself, for whoever is not ready is asked nothing
                await until(lambda: well(ada), 20)
            await until(logged)
            assert fleet.api.running
            assert fleet.worker.running
    finally:
        await superuser.close()
