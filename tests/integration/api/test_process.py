"""`python -m api` as an operator meets it: away stores, a port in use, a stop in the middle of work."""

import asyncio
import socket
import time
from pathlib import Path

import httpx2

from config.embedded.ports import HOST, free_port
from tests.support import forks
from tests.support.processes import Fleet, Service, get_status
from tests.support.stores import TestStores, environment

NOWHERE = {"DATABASE_URL": "postgresql://app@127.0.0.1:1/musclemap", "REDIS_URL": "redis://127.0.0.1:1/0"}
MUSCLES = {"query": "{ muscles { id } }"}
FEED = {"query": "{ communityFeed { position { offset } } }"}


async def until_status(service: Service, path: str, wanted: int) -> None:
    end = time.monotonic() + 30
    while await get_status(service.port, path) != wanted:
        assert time.monotonic() < end, service.tail()
        await asyncio.sleep(0.05)


async def test_what_keeps_it_from_starting_is_one_line_and_exit_code_1() -> None:
    """A port in use; a missing setting. Seen failing with SO_REUSEPORT set: two processes shared the port."""
    with socket.create_server((HOST, 0), reuse_port=True) as taken:
        port = taken.getsockname()[1]
        in_use, missing = await asyncio.gather(
            asyncio.to_thread(_refused, environment(**NOWHERE, API_PORT=str(port))),
            asyncio.to_thread(_refused, environment()),
        )
    assert in_use == [f"port {port} is in use: set API_PORT to a free one"]
    assert len(missing) == 1
    assert missing[0].startswith("DATABASE_URL is not set")


def _refused(env: dict[str, str]) -> list[str]:
    """The lines of a process that ends with code 1."""
    done = forks.run("api", env=env)
    assert done.returncode == 1
    return (done.stdout + done.stderr).splitlines()


async def test_it_outlives_both_stores(own_stores: TestStores, tmp_path: Path) -> None:
    """Neither is there at the start: it stays up and says why. Both come, go and come back, without a restart of ours.
    Redis away is degraded, PostgreSQL away is not ready. Seen failing with the pool awaited before the server (no
    /health at all), and with a pool that gave up after its first refused connection."""
    own_stores.valkey.stop()
    own_stores.postgres.stop()
    fleet = Fleet(own_stores.environment(), tmp_path, roles=("api",))
    try:
        fleet.api.launch()
        await until_status(fleet.api, "/health", 200)
        async with httpx2.AsyncClient(base_url=fleet.api.http("").rstrip("/"), timeout=30) as client:
            ready = await client.get("/ready")
            assert ready.status_code == 503
            assert set(ready.json()["reasons"]) == {"postgres", "reference"}
            assert set(ready.json()["degraded"]) == {"redis"}
            feed = (await client.post("/api/graphql", json=FEED)).json()
            assert feed["errors"][0]["extensions"]["code"] == "RETRY_LATER"
            login = {"email": "ada@example.com", "password": "correct horse"}
            signing_in = await client.post("/api/v1/auth/login", json=login)
            assert (signing_in.status_code, signing_in.json()["error"]["code"]) == (503, "RETRY_LATER")
            assert int(signing_in.headers["retry-after"]) >= 1
            said = signing_in.text + ready.text + str(feed)
            assert not any(str(store.port) in said for store in (own_stores.postgres, own_stores.valkey))

            own_stores.postgres.start()
            own_stores.valkey.start()
            await until_status(fleet.api, "/ready", 200)
            own_stores.valkey.stop()
            ready = await client.get("/ready")
            assert (ready.status_code, set(ready.json()["degraded"])) == (200, {"redis"})
            assert "data" in (await client.post("/api/graphql", json=FEED)).json()
            own_stores.postgres.stop()
            await until_status(fleet.api, "/ready", 503)
            assert (await client.post("/api/graphql", json=MUSCLES)).status_code == 200  # from memory
            feed = (await client.post("/api/graphql", json=FEED)).json()
            assert feed["errors"][0]["extensions"]["statusCode"] == 503
            own_stores.postgres.start()
            own_stores.valkey.start()
            await until_status(fleet.api, "/ready", 200)
            assert (await client.post("/api/graphql", json=FEED)).json()["data"]
        assert await fleet.api.stop() == 0
    finally:
        fleet.clean_up()


async def test_a_stop_lets_what_is_in_flight_finish(stores: TestStores, tmp_path: Path) -> None:
    """Half a request is sent, the process is told to stop, the other half follows: it is answered. Seen failing with
    no time given to the shutdown."""
    async with Fleet({**stores.environment(), "API_PORT": str(free_port())}, tmp_path, roles=("api",)) as fleet:
        body = b'{"query": "{ muscles { id } }"}'
        reader, writer = await asyncio.open_connection(HOST, fleet.api.port)
        head = f"POST /api/graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + body[:10])
        await writer.drain()
        await until_status(fleet.api, "/health", 200)  # our half has been read by then
        stopping = asyncio.create_task(fleet.api.stop())
        await until_status(fleet.api, "/health", 0)  # nobody new gets in
        await asyncio.sleep(0.5)  # longer than a stop takes that waits for nobody
        writer.write(body[10:])
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b'"muscles"' in answer
        assert await stopping == 0
