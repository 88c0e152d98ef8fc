"""Server-sent events behind Debian's own nginx and Caddy, with the files of config/deploy as they are shipped: nothing
is held back, nothing is cut, and no log has a token."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from config.embedded.ports import free_port
from config.limits import STREAM_COMMENT_S
from rt.wire.channels import app_channel
from tests.support.fronts import FRONTS, SITE, Front, front
from tests.support.gateway import MINT, Gateway, shared_fleet
from tests.support.processes import Fleet
from tests.support.programs import needs
from tests.support.sse import PATH, at, streaming
from tests.support.stores import TestStores

SETTINGS = {"ALLOWED_ORIGINS": f"https://{SITE}", "TRUSTED_PROXIES": "127.0.0.1,::1"}


@pytest.fixture(scope="module")
def shared(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with shared_fleet(stores.redis_url, tmp_path_factory.mktemp("gateway"), **SETTINGS) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def proxies(shared: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Front]]:
    """Both before one gateway."""
    folder = tmp_path_factory.mktemp("fronts")
    with ExitStack() as stack:
        yield [
            stack.enter_context(front(name, folder, api_port=free_port(), rt_port=shared.rt.port)) for name in FRONTS
        ]


async def test_what_is_said_comes_at_once_and_a_silent_stream_lives(gate: Gateway, proxies: list[Front]) -> None:
    """Events as they are published, and a comment every 15 s. Seen failing with the streams sent to the API."""
    channel = app_channel("open", "sse-proxies")
    await gate.feeds.make(channel)
    await gate.feeds.publish(channel, 2)
    query, host = f"channel={channel.wire}", {"Host": SITE}

    async def hears(opening: object) -> float:
        """Seconds from the last event to the first comment."""
        async with streaming(opening, query, **host, Last_Event_ID=at(1)) as stream:  # type: ignore[arg-type]
            assert stream.headers["content-type"] == "text/event-stream"
            assert (await stream.next()).id == at(2)
            began.release()
            assert (await stream.next()).id == at(3)
            loop = asyncio.get_running_loop()
            since = loop.time()
            assert await stream.until_comment(STREAM_COMMENT_S + 5) == ""
            return loop.time() - since

    began = asyncio.Semaphore(0)
    ways = [gate.fleet.rt.port, *(proxy.open for proxy in proxies)]
    tasks = [asyncio.create_task(hears(way)) for way in ways]
    for _ in ways:
        await began.acquire()
    await gate.feeds.publish(channel)
    assert all(0 < passed <= STREAM_COMMENT_S + 2 for passed in await asyncio.gather(*tasks))


async def test_a_refusal_keeps_its_status_and_its_words(gate: Gateway, proxies: list[Front]) -> None:
    for proxy in proxies:
        async with streaming(proxy.open, "channel=user:x", Host=SITE) as stream:
            assert stream.status == 403
        async with streaming(proxy.open, "since=x", Host=SITE) as stream:
            assert stream.status == 400


async def test_no_log_has_a_token(gate: Gateway, proxies: list[Front], tmp_path: Path) -> None:
    """Of a stream that came through, and of one whose gateway was away. Seen failing without `access_log off` and
    without a log of errors of its own."""
    token = MINT.channel("bob", "profile:ann")
    for proxy in proxies:
        async with streaming(proxy.open, f"channel=profile:ann&token={token}", Host=SITE) as stream:
            assert stream.status == 200
    with ExitStack() as stack:
        for name in FRONTS:
            away = stack.enter_context(front(name, tmp_path, api_port=free_port(), rt_port=free_port()))
            async with streaming(away.open, f"token={token}", Host=SITE) as stream:
                assert stream.error == (503, "RETRY_LATER")
            assert token[-40:] not in away.log.read_text("utf-8")
    logs = [gate.fleet.rt.log, *(path for proxy in proxies for path in proxy.log.parent.glob("*.log"))]
    assert {"access.log", "nginx.log", "caddy.log"} <= {path.name for path in logs}
    assert [path.name for path in logs if token[-40:] in path.read_text("utf-8")] == []


async def test_curl_follows_and_resumes(gate: Gateway, proxies: list[Front]) -> None:
    """As it is: a stream that it reads, and one that it takes up again with the last id."""
    channel = app_channel("open", "sse-curl")
    await gate.feeds.make(channel)
    await gate.feeds.publish(channel, 3)

    async def lines(address: str, *options: str, count: int) -> list[str]:
        """What it prints up to so many `data:` lines."""
        command = [needs("curl"), "--silent", "--no-buffer", "--insecure", *options, address]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        found: list[str] = []
        async with asyncio.timeout(20):
            while sum(line.startswith("data:") for line in found) < count:
                line = await process.stdout.readline()
                assert line, found
                found.append(line.decode().rstrip("\n"))
        process.kill()
        await process.wait()
        return found

    query = f"{PATH}?channel={channel.wire}"
    for base, resolve in (
        (gate.fleet.rt.http("").rstrip("/"), ()),
        *((f"https://{SITE}:{proxy.port}", ("--resolve", f"{SITE}:{proxy.port}:127.0.0.1")) for proxy in proxies),
    ):
        found = await lines(base + query, *resolve, "--header", f"Last-Event-ID: {at(1)}", count=2)
        assert [line for line in found if line.startswith(("id:", "event:"))] == [
            f"id: {at(2)}", "event: event", f"id: {at(3)}", "event: event",
        ]  # fmt: skip
