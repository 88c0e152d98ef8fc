"""ENVIRONMENT=production: starts with what the README's "Deploying" gives, and with nothing less."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from tests.support import forks
from tests.support.processes import Fleet, Service
from tests.support.raw import UPGRADE
from tests.support.stores import Database, environment
from tests.support.tokens import private_key

STORES = {"DATABASE_URL": "postgresql://app@127.0.0.1:1/musclemap", "REDIS_URL": "redis://127.0.0.1:1/0"}
ORIGIN = "https://example.com"


async def test_all_roles_start_with_what_the_readme_names(database: Database, redis_url: str, tmp_path: Path) -> None:
    """The gateway has no key of its own: it takes the API's from Redis. Seen failing with a check that asked every
    role for a key and a secure cookie. No origin is allowed but the one that is named; seen failing with 204 and 101 to
    a page at localhost, which is any program of a visitor's machine."""
    everybody = {"ENVIRONMENT": "production", "ALLOWED_ORIGINS": ORIGIN}
    stores = environment(**database.urls, REDIS_URL=redis_url)
    fleet = Fleet(stores, tmp_path, settings=everybody)
    alone = {"JWT_PRIVATE_KEY": private_key(), "COOKIE_SECURE": "true"}
    fleet.services["api"] = Service("api", {**fleet.env, **alone}, tmp_path)
    async with fleet, httpx2.AsyncClient(trust_env=False) as client:
        keys = await client.get(fleet.api.http("/.well-known/jwks.json"))
        assert len(keys.json()["keys"]) == 1
        for origin, allowed in ((ORIGIN, True), (f"http://localhost:{fleet.api.port}", False), ("null", False)):
            asked = {"origin": origin, "access-control-request-method": "POST"}
            preflight = await client.options(fleet.api.http("/api/graphql"), headers=asked)
            assert preflight.status_code == (204 if allowed else 403), origin
            opened = await client.get(fleet.rt.http("/ws"), headers={**UPGRADE, "Origin": origin})
            assert opened.status_code == (101 if allowed else 403), origin
        hidden = await client.post(fleet.api.http("/api/graphql"), json={"query": "{ __schema { types { name } } }"})
        assert hidden.json()["errors"]


@pytest.mark.parametrize(
    ("role", "given", "missing"),
    [
        ("rt", {}, "ALLOWED_ORIGINS"),
        ("api", {"COOKIE_SECURE": "true", "ALLOWED_ORIGINS": ORIGIN}, "JWT_PRIVATE_KEY"),
        ("api", {"JWT_PRIVATE_KEY": "x", "ALLOWED_ORIGINS": ORIGIN}, "COOKIE_SECURE"),
        ("api", {"JWT_PRIVATE_KEY": "x", "COOKIE_SECURE": "true"}, "ALLOWED_ORIGINS"),
    ],
)
async def test_what_production_lacks_is_named_in_one_line(role: str, given: dict[str, str], missing: str) -> None:
    env = environment(**STORES, ENVIRONMENT="production", **given)
    done = await asyncio.to_thread(forks.run, role, env=env)
    assert done.returncode == 1
    assert (done.stdout + done.stderr).splitlines() == [f"{missing} is not set: ENVIRONMENT=production needs it"]
