"""config/deploy as shipped, by Debian's own Caddy and nginx: what the public reaches behind them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.fronts import FRONTS, SITE, Front, front
from tests.support.processes import Fleet
from tests.support.stores import Database, environment

SETTINGS = {"ALLOWED_ORIGINS": f"https://{SITE}", "TRUSTED_PROXIES": "127.0.0.1,::1", "COOKIE_SECURE": "true"}


@pytest.fixture
async def product(database: Database, redis_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    """API and gateway with the settings that the proxies' files ask for."""
    stores = environment(DATABASE_URL=database.url, REDIS_URL=redis_url)
    async with Fleet(stores, tmp_path, roles=("rt", "api"), settings=SETTINGS) as running:
        yield running


@pytest.fixture(params=FRONTS)
def proxy(request: pytest.FixtureRequest, product: Fleet, tmp_path: Path) -> Iterator[Front]:
    """Each proxy before the product."""
    with front(request.param, tmp_path, api_port=product.api.port, rt_port=product.rt.port) as running:
        yield running


async def ask(proxy: Front, target: str, extra: str = "") -> tuple[int, bytes]:
    """Status and body of a GET of `target` as it is spelled."""
    async with asyncio.timeout(10):
        reader, writer = await proxy.open()
        head = f"GET {target} HTTP/1.1\r\nHost: {SITE}\r\n{extra}Connection: close\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.read()
        writer.close()
    head_bytes, _, body = answer.partition(b"\r\n\r\n")
    return int(head_bytes.split()[1]), body


async def test_the_page_comes_through(proxy: Front) -> None:
    status, body = await ask(proxy, "/")
    assert status == 200
    assert b"<!doctype html>" in body[:200].lower()
