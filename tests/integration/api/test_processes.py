"""Several API processes behind one listener: one is killed, what they count, a stop, the end of their parent."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from config.embedded.ports import HOST
from tests.support.gateway import until
from tests.support.processes import Fleet, Service
from tests.support.stores import TestStores

BODY: Final = b'{"query": "{ muscles { id } }"}'
HEAD: Final = (
    f"POST /api/graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}"
    "\r\n\r\n"
).encode()
ASKED: Final = re.compile(r'^http_requests_total\{method="GET",route="/config.json",status="200"\} ([0-9.]+)', re.M)
WITHIN_S: Final = 30

Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def pair(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two processes; a test may end them."""
    settings = {"API_PROCESSES": "2"}
    fleet = Fleet(stores.environment(), tmp_path_factory.mktemp("pair"), roles=("api",), settings=settings)
    yield fleet
    fleet.clean_up()


@pytest_asyncio.fixture
async def api(pair: Fleet) -> Service:
    """Both of them, ready and reached."""
    if not pair.api.running:
        pair.api.launch()
    await pair.api.wait_ready()
    await both(pair.api)
    return pair.api


async def both(api: Service) -> None:
    """Returns when two children serve."""
    async with asyncio.timeout(WITHIN_S), halves(api):
        pass


def owner(api: Service, port: int) -> int | None:
    """The child that has the connection whose other end is this port of ours; None while it waits for either."""
    tail = f" 0100007F:{api.port:04X} 0100007F:{port:04X} "
    for line in Path("/proc/net/tcp").read_text().splitlines():
        if tail in line:
            inode = f"socket:[{line.split()[9]}]"
            for pid in api.children():
                for file in Path(f"/proc/{pid}/fd").iterdir():
                    if file.is_symlink() and str(file.readlink()) == inode:
                        return pid
    return None


@asynccontextmanager
async def opened(api: Service) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection(HOST, api.port)
    try:
        yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def halves(api: Service) -> AsyncIterator[dict[int, Raw]]:
    """By process, a connection to each on which half a request was sent."""
    found: dict[int, Raw] = {}
    rest = []
    while len(found) < 2:
        reader, writer = await asyncio.open_connection(HOST, api.port)
        writer.write(HEAD + BODY[:9])
        rest.append(writer)
        port = writer.get_extra_info("sockname")[1]
        await until(lambda port=port: owner(api, port) is not None)
        found.setdefault(owner(api, port) or 0, (reader, writer))
    try:
        yield found
    finally:
        for writer in rest:
            writer.close()


async def finished(half: Raw) -> bytes:
    """The first line of the answer to the whole of it."""
    reader, writer = half
    writer.write(BODY[9:])
    return await asyncio.wait_for(reader.readline(), WITHIN_S)


async def asked(api: Service) -> bytes:
    """The first line of an answer on a connection of its own; all of it where it has an error."""
    async with opened(api) as (reader, writer):
        writer.write(HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + BODY)
        answer = await asyncio.wait_for(reader.read(), WITHIN_S)
        return answer if b'"errors"' in answer else answer[: answer.find(b"\n") + 1]


async def counted(api: Service) -> float:
    """How many asked for /config.json, as /metrics says."""
    async with opened(api) as (reader, writer):
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        found = ASKED.search((await asyncio.wait_for(reader.read(), WITHIN_S)).decode())
        return float(found[1]) if found else 0.0


async def all_tell(api: Service, count: float) -> None:
    """Returns when whoever is asked says so: each of six connections is some process's."""
    told: set[float] = set()
    async with asyncio.timeout(WITHIN_S):
        while told != {count}:
            told = {await counted(api) for _ in range(6)}


async def test_a_killed_process_takes_its_own_requests_along_and_is_replaced(api: Service) -> None:
    """Others' go on, and whoever comes is served, also while it is gone and by its successor. Seen failing with nobody
    started in its place."""
    before = set(api.children())
    async with halves(api) as two:
        killed, spared = two
        os.kill(killed, signal.SIGKILL)
        assert await asyncio.wait_for(two[killed][0].read(), WITHIN_S) == b""
        said = {await finished(two[spared])}
        async with asyncio.timeout(WITHIN_S):
            while len(set(api.children()) - before) < 1:
                said.add(await asked(api))
            replaced = asyncio.create_task(both(api))
            while not replaced.done():
                said.add(await asked(api))
            await replaced
    assert said == {b"HTTP/1.1 200 OK\r\n"}
    assert len(api.children()) == 2


async def test_whoever_is_asked_tells_what_all_have_counted(api: Service) -> None:
    """Also what one had counted that is gone. Seen failing with each telling its own, and without `adopt`."""
    async with halves(api) as two:
        for reader, writer in two.values():
            await finished((reader, writer))
            writer.write(b"GET /config.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            await asyncio.wait_for(reader.read(), WITHIN_S)
        killed = next(iter(two))
    await all_tell(api, 2)
    os.kill(killed, signal.SIGKILL)
    await until(lambda: len(api.children()) == 2 and killed not in api.children())
    await both(api)
    await all_tell(api, 2)


async def test_a_stop_lets_each_finish_what_is_in_flight(api: Service) -> None:
    """Seen failing with the signal not passed on."""
    async with halves(api) as two:
        stopping = asyncio.create_task(api.stop())
        async with asyncio.timeout(WITHIN_S):
            while True:  # until nobody new gets in
                try:
                    async with opened(api):
                        await asyncio.sleep(0.02)
                except OSError:
                    break
        assert [await finished(half) for half in two.values()] == [b"HTTP/1.1 200 OK\r\n"] * 2
    assert await stopping == 0


async def test_a_killed_parent_takes_its_children_along(api: Service) -> None:
    """Seen failing without PDEATHSIG: the children kept the port."""
    children = api.children()
    api.kill()
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
