"""The rest of config/deploy as shipped, by Debian's own programs: PgBouncer before PostgreSQL."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support import forks
from tests.support.gateway import until
from tests.support.people import Person, exercise_ids
from tests.support.pooler import pgbouncer
from tests.support.processes import Fleet, get_status
from tests.support.stores import Database, TestStores, environment

ASK_S = 60


@pytest.fixture
def pooler(stores: TestStores, database: Database, stores_folder: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    with pgbouncer(stores, database, stores_folder / f"pgbouncer-{tmp_path.name}") as urls:
        yield urls


@pytest.fixture
async def pooled(pooler: dict[str, str], redis_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    """The product behind it, with no setting that says so."""
    urls = environment(**pooler, REDIS_URL=redis_url)
    async with Fleet(urls, tmp_path, roles=("api", "worker")) as fleet:
        yield fleet


async def test_the_product_works_behind_pgbouncer(pooled: Fleet, pooler: dict[str, str]) -> None:
    """Accounts and workouts, whose function demands SERIALIZABLE, which the role brings; the relay, and an audit twice.
    Several at once, so that statements meet other connections than those that prepared them. Seen failing with
    `pool_mode = statement`, with 256 prepared statements (the API ended at its start: one of that name was there
    already), and with asyncpg's own 100 in the audit: the second one could not be done."""
    base = pooled.api.http("").rstrip("/")
    async with httpx2.AsyncClient(trust_env=False, timeout=ASK_S) as client:
        exercise = (await exercise_ids(base, client))[0]

        async def live() -> None:
            person = await Person(base, client).sign_up()
            for _ in range(5):
                assert not (await person.log_workout(exercise))["existing"]

        await asyncio.gather(*(live() for _ in range(5)))
        everybody = Person(base, client)

        async def is_told() -> bool:
            feed = (await everybody.graphql("{ communityFeed { position { offset } } }"))["communityFeed"]
            return bool(feed["position"]["offset"] == 25)

        await until(is_told)
    for _ in range(2):
        done = await asyncio.to_thread(audit, pooler)
        assert done.returncode == 0, done.stdout + done.stderr


def audit(urls: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return forks.run("worker", "audit", env=environment(**urls))


async def test_statements_that_a_pooler_cannot_keep_end_nobody(
    pooler: dict[str, str], redis_url: str, tmp_path: Path
) -> None:
    """An operator may ask for them before PgBouncer 1.21. Seen failing with INTERNAL, and with an API that ended where
    its comparison of revocations met a statement of another process."""
    urls = environment(**pooler, REDIS_URL=redis_url, DATABASE_STATEMENT_CACHE="256")
    fleet = Fleet(urls, tmp_path, roles=("api", "worker"))
    try:
        for service in fleet.services.values():
            service.launch()
        api, worker = fleet.api, fleet.worker
        async with httpx2.AsyncClient(base_url=api.http(""), trust_env=False, timeout=ASK_S) as client:
            await until(lambda: get_status(api.port, "/health"))
            for _ in range(20):
                answer = await client.post("/api/graphql", json={"query": "{ communityFeed { edges { cursor } } }"})
                said = answer.json()
                assert said.get("data") or {e["extensions"]["code"] for e in said["errors"]} == {"RETRY_LATER"}, said
        assert api.running, api.tail()
        assert worker.running, worker.tail()
    finally:
        fleet.clean_up()
