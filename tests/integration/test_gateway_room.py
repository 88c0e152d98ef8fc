"""A gateway that is full: silence takes no place from anybody, and it can always be asked how it is."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from config.limits import FILES_RESERVED, LOBBY_PLACES, LOOPBACK_SHARE, STRANGERS_PER_ADDRESS_MAX
from tests.support.gateway import Gateway, gateway, until
from tests.support.processes import get_status
from tests.support.raw import Raw, raw, request, welcomed

PLACES = 40
ROOM = PLACES + LOBBY_PLACES
AT_ONCE_S = 8  # less than what silence may last


@pytest.fixture
async def small(redis_url: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with few places."""
    async with gateway(redis_url, tmp_path, CONNECTIONS_MAX=str(PLACES)) as gate:
        yield gate


async def silent(stack: AsyncExitStack, gate: Gateway, count: int, said: bytes = b"") -> list[Raw]:
    talks = [await stack.enter_async_context(raw(gate)) for _ in range(count)]
    for talk in talks:
        await talk.send(said)
    return talks


def ended(talks: list[Raw]) -> int:
    return sum(talk.reader.at_eof() or talk.reader.exception() is not None for talk in talks)


@pytest.mark.parametrize("said", [b"", request()[:60], request()], ids=["silence", "half heads", "no connect"])
async def test_who_says_nothing_keeps_nobody_out(small: Gateway, said: bytes) -> None:
    """Three times as many as there is room for. Failed: all of them stayed, up to the limit of open files, where the
    kernel closed whoever came."""
    async with AsyncExitStack() as stack:
        talks = await silent(stack, small, 3 * ROOM, said)
        assert await get_status(small.fleet.rt.port, "/health") == 200
        assert await get_status(small.fleet.rt.port, "/ready") == 200
        async with welcomed(small):
            pass
        await until(lambda: ended(talks) >= 3 * ROOM - ROOM - 1, AT_ONCE_S)  # long before their deadline


async def test_a_gateway_full_of_clients_answers_how_it_is(small: Gateway) -> None:
    """And refuses the others with a page. Failed: it took them all."""
    at_most = int(PLACES * LOOPBACK_SHARE)
    async with AsyncExitStack() as stack:
        for _ in range(at_most):
            await stack.enter_async_context(welcomed(small))
        await silent(stack, small, 2 * LOBBY_PLACES)
        for _ in range(3):
            assert await get_status(small.fleet.rt.port, "/health") == 200
            assert await get_status(small.fleet.rt.port, "/ready") == 200
        async with raw(small) as late:
            await late.send(request())
            assert (await late.rest()).startswith(b"HTTP/1.1 429 ")
        async with raw(small) as proxied:  # of another address
            await proxied.send(request(X_Forwarded_For="192.0.2.7"))
            assert (await proxied.reader.readline()).startswith(b"HTTP/1.1 101 ")


async def test_one_address_has_so_many_that_are_nobody(redis_url: str, tmp_path: Path) -> None:
    """Failed: only sockets that had upgraded were counted."""
    async with (
        gateway(redis_url, tmp_path, LOOPBACK_LENIENT="false", CONNECTIONS_PER_ADDRESS_MAX="2") as gate,
        AsyncExitStack() as stack,
    ):
        talks = await silent(stack, gate, STRANGERS_PER_ADDRESS_MAX + 20)
        await until(lambda: ended(talks) >= 20, AT_ONCE_S)
        assert ended(talks) < 30
        async with welcomed(gate), welcomed(gate), raw(gate) as third:
            await third.send(request())
            assert (await third.rest()).startswith(b"HTTP/1.1 429 ")


async def test_behind_a_proxy_connections_count_by_what_it_forwards(redis_url: str, tmp_path: Path) -> None:
    """A proxy may hold as many silent ones as there are places; clients count by their /64. Failed: by the whole
    address of IPv6, of which everybody has 2^64."""
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "CONNECTIONS_PER_ADDRESS_MAX": "2"}
    async with gateway(redis_url, tmp_path, **settings) as gate, AsyncExitStack() as stack:
        talks = await silent(stack, gate, 2 * STRANGERS_PER_ADDRESS_MAX)
        for last, status in ((b"1", b"101"), (b"2", b"101"), (b"3", b"429")):
            (talk,) = await silent(stack, gate, 1, request(X_Forwarded_For="2001:db8::" + last.decode()))
            assert (await talk.reader.readline()).split(b" ")[1] == status
        assert ended(talks) == 0


async def test_a_process_that_may_open_few_files_never_runs_out(redis_url: str, tmp_path: Path) -> None:
    """Failed at the limit: nobody was answered any more until the silent ones ended. The limit falls right after the
    start of the interpreter, long before it is looked at."""
    files = 400
    async with gateway(redis_url, tmp_path) as gate:
        await gate.fleet.rt.stop()
        gate.fleet.rt.launch()
        resource.prlimit(gate.fleet.rt.pid, resource.RLIMIT_NOFILE, (files, files))
        await gate.fleet.rt.wait_ready()
        assert resource.prlimit(gate.fleet.rt.children()[0], resource.RLIMIT_NOFILE) == (files, files)
        async with AsyncExitStack() as stack:
            talks = await silent(stack, gate, 2 * files)
            await asyncio.sleep(0)
            assert await get_status(gate.fleet.rt.port, "/health") == 200
            async with welcomed(gate):
                pass
            await until(lambda: len(talks) - ended(talks) <= files - FILES_RESERVED, 3)
