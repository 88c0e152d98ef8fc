"""The rest of config/deploy as shipped, by Debian's own programs: PgBouncer before PostgreSQL."""

import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from config.embedded import child
from config.embedded.account import home, own, unprivileged
from config.embedded.ports import HOST, free_port, is_free
from config.embedded.postgres import APPLICATION
from tests.support.fronts import DEPLOY, filled
from tests.support.processes import Fleet
from tests.support.programs import needs
from tests.support.stores import Database, TestStores, environment

ASK_S = 60
START_S = 20


@pytest.fixture
async def pooled(
    stores: TestStores, database: Database, redis_url: str, stores_folder: Path, tmp_path: Path
) -> AsyncIterator[Fleet]:
    """The product with DATABASE_URL at a PgBouncer of Debian."""
    account, port = unprivileged(), free_port()
    folder = home(stores_folder / f"pgbouncer-{tmp_path.name}", account)
    own(folder, account)
    (folder / "userlist.txt").write_text(f'"{APPLICATION}" "{urlsplit(database.url).password}"\n')
    shipped = (DEPLOY / "pgbouncer.ini").read_text("utf-8")
    places = {
        "port=5432 dbname=musclemap": f"port={stores.postgres.port} dbname={database.name}",
        "listen_port = 6432": f"listen_port = {port}",
        "/etc/pgbouncer/userlist.txt": str(folder / "userlist.txt"),
    }
    (folder / "pgbouncer.ini").write_text(filled(shipped, places))
    log = tmp_path / "pgbouncer.log"
    command = [needs("pgbouncer"), str(folder / "pgbouncer.ini")]
    process = child.start(command, folder=folder, account=account, log=log, at_our_death=signal.SIGTERM)
    url = re.sub(r"@.*", f"@{HOST}:{port}/musclemap", database.url)
    try:
        child.wait_until(lambda: not is_free(HOST, port), process, name="PgBouncer", log=log, limit_s=START_S)
        urls = environment(DATABASE_URL=url, REDIS_URL=redis_url, DATABASE_STATEMENT_CACHE="0")
        async with Fleet(urls, tmp_path, roles=("api", "worker")) as fleet:
            yield fleet
    finally:
        child.stop(process, ((signal.SIGINT, 3.0),))


async def test_the_product_works_behind_pgbouncer(pooled: Fleet) -> None:
    """Accounts and a workout, whose function demands SERIALIZABLE, which the role brings. Seen failing with
    `pool_mode = statement`."""
    exercises = "{ exercises { id } }"
    log = """mutation($exercise: ID!, $at: DateTime!) { logWorkout(idempotencyKey: "k", input: {performedAt: $at,
        exercises: [{exerciseId: $exercise, sets: [{reps: 10}]}]}) { existing } }"""
    async with httpx2.AsyncClient(base_url=pooled.api.http(""), trust_env=False, timeout=ASK_S) as client:
        person = {"email": "pooled@example.com", "password": "correct horse battery", "name": "Ada"}
        assert (await client.post("/api/v1/auth/register", json=person)).status_code == 201
        token = (await client.post("/api/v1/auth/login", json=person)).json()["accessToken"]
        found = (await client.post("/api/graphql", json={"query": exercises})).json()["data"]["exercises"][0]["id"]
        asked = {"query": log, "variables": {"exercise": found, "at": "2026-01-05T10:00:00Z"}}
        answer = await client.post("/api/graphql", json=asked, headers={"authorization": f"Bearer {token}"})
    assert answer.json() == {"data": {"logWorkout": {"existing": False}}}
