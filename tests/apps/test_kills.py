"""What apps publish through deaths of the relay and of the API, and through requests that are cut."""

import asyncio
import json

import pytest

from config.embedded.ports import HOST
from tests.support.app_server import AppServer, Backend, event, hears, numbers
from tests.support.gateway import until

pytestmark = pytest.mark.timeout(180)

BATCHES = 30
OF = 20


async def cut(app: Backend, port: int, part: float, *events: dict[str, object]) -> None:
    """Sends a part of a request and goes, without a look at the answer."""
    body = json.dumps({"events": events}).encode()
    head = (
        f"POST /api/v1/apps/{app.namespace}/events HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {app.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection(HOST, port)
    writer.write(head.encode() + body[: int(len(body) * part)])
    await writer.drain()
    writer.close()
    await writer.wait_closed()


@pytest.mark.chaos
async def test_deaths_lose_nothing_repeat_nothing_and_keep_the_order(server: AppServer) -> None:
    """The relay is killed between two batches, with some that wait, and again; the API while it publishes. A backend
    that has no answer sends the same events again."""
    app = await server.make("kills", "--open")
    api, worker = server.fleet.api, server.fleet.worker
    sent = [[event("a", f"{n}-{k}") for k in range(OF)] for n in range(BATCHES)]

    async def publish() -> None:
        for number, batch in enumerate(sent):
            published.append(await app.publish(*batch))
            if number in (5, 15):
                worker.kill()
            if number in (10, 20):
                await worker.start()

    async def kill() -> None:
        await until(lambda: len(published) >= BATCHES // 2, 90)
        api.kill()
        await api.start()

    published: list[object] = []
    async with server.client() as talk:
        await server.joins(talk, "app:kills:a")
        try:
            await asyncio.gather(publish(), kill())
        finally:
            for service in (api, worker):
                if not service.running:
                    await service.start()
        await app.publish(event("a", "last"))
        expected = [*(one["id"] for batch in sent for one in batch), "last"]
        assert numbers(await hears(talk, len(expected))) == expected


async def test_a_request_that_is_cut_is_whole_or_nothing(server: AppServer) -> None:
    app = await server.make("cuts", "--open")
    batch = [event("a", n, text="x" * 500) for n in range(50)]
    port = server.fleet.api.port
    async with server.client() as talk:
        await server.joins(talk, "app:cuts:a")
        for part in (0.0, 0.5, 0.99):
            await cut(app, port, part, *batch)
        await app.publish(event("b", "meanwhile"))
        await cut(app, port, 1.0, *batch)
        assert {one["id"] for one in await app.publish(*batch)} == {one["id"] for one in batch}
        await app.publish(event("a", "last"))
        assert numbers(await hears(talk, 51)) == [*(one["id"] for one in batch), "last"]
