"""Strangers who hoard what an API process has, in the numbers that once took it down, beside honest people."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from config.embedded.ports import HOST
from config.limits import ARGON2_WAIT_S_MAX, HTTP_CONNECTIONS_MAX
from tests.support.processes import Fleet
from tests.support.stores import TestStores

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

PASSWORD = "correct horse battery"
LOGIN = "/api/v1/auth/login"
HEALTH_S_MAX = 5.0  # of /health, on a machine that is busy with this
HASH_S_MAX = 10.0  # of a sign-in behind its turn, on such a machine
MIB = 1024 * 1024

Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def api(stores: TestStores, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with Fleet(stores.environment(), tmp_path, roles=("api",)) as fleet:
        yield fleet


async def opened(stack: AsyncExitStack, port: int, address: str = HOST) -> Talk:
    reader, writer = await asyncio.open_connection(HOST, port, local_addr=(address, 0))
    stack.push_async_callback(closed, writer)
    return reader, writer


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


def post(path: str, body: dict[str, str]) -> bytes:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Connection: close\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


async def answer(port: int, data: bytes) -> tuple[int, bytes, float]:
    """Status (0 for none), everything heard, seconds."""
    began = time.monotonic()
    heard = b""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(data)
            heard = await asyncio.wait_for(reader.read(), 60)
        finally:
            await closed(writer)
    return int(heard[9:12] or 0), heard, time.monotonic() - began


async def people(fleet: Fleet, many: int) -> list[str]:
    emails = [f"{uuid.uuid4().hex}@example.com" for _ in range(many)]
    for email in emails:
        body = {"email": email, "password": PASSWORD, "name": "Ada"}
        assert (await answer(fleet.api.port, post("/api/v1/auth/register", body)))[0] == 201
    return emails


async def health(fleet: Fleet) -> float:
    """Seconds until /health and /ready answered 200."""
    worst_s = 0.0
    for path in ("/health", "/ready"):
        ask = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        status, _, took_s = await answer(fleet.api.port, ask)
        assert status == 200, path
        worst_s = max(worst_s, took_s)
    return worst_s


def private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private"))


async def sign_in(fleet: Fleet, email: str) -> tuple[int, float, float]:
    """Comes back when told. How often it asked, its slowest answer, and how long it took in all, seconds."""
    began = time.monotonic()
    tries, slowest_s, status = 0, 0.0, 0
    while True:
        tries += 1
        status, heard, took_s = await answer(fleet.api.port, post(LOGIN, {"email": email, "password": PASSWORD}))
        slowest_s = max(slowest_s, took_s)
        if status == 200:
            return tries, slowest_s, time.monotonic() - began
        assert status == 503
        await asyncio.sleep(int(heard.lower().partition(b"retry-after: ")[2].partition(b"\r\n")[0]))


async def test_logins_of_people_who_left_take_nobodys_turn(api: Fleet) -> None:
    """Six sockets sign in again and again and leave at once. Seen failing with the line that only counted: 1 of 9
    honest logins passed."""
    emails = await people(api, 9)
    stop = asyncio.Event()
    abandoned = 0

    async def flood() -> None:
        nonlocal abandoned
        data = post(LOGIN, {"email": emails[0], "password": "wrong horse battery"})
        while not stop.is_set():
            with suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, api.api.port)
                writer.write(data)
                await asyncio.sleep(0.05)
                await closed(writer)
                abandoned += 1

    floods = [asyncio.create_task(flood()) for _ in range(6)]
    try:
        await asyncio.sleep(2)
        ends = [await sign_in(api, email) for email in emails]
    finally:
        stop.set()
        await asyncio.gather(*floods)
    print(f"{abandoned} abandoned; honest ones (tries, slowest answer, seconds): {ends}")
    assert sum(tries == 1 for tries, _, _ in ends) >= 6
    assert max(slowest_s for _, slowest_s, _ in ends) < ARGON2_WAIT_S_MAX + HASH_S_MAX
    assert await health(api) < HEALTH_S_MAX


async def test_a_hundred_and_twenty_at_once_are_served_or_told_when_to_come(api: Fleet) -> None:
    """Those who come back when they are told get in. Seen failing with a line of 64: the slowest was served after 24
    s, and all others were told one second."""
    emails = await people(api, 20)
    ends = await asyncio.gather(*(sign_in(api, emails[number % 20]) for number in range(120)))
    first = sum(tries == 1 for tries, _, _ in ends)
    slowest_s = max(slowest_s for _, slowest_s, _ in ends)
    print(f"{first} at the first try; slowest answer {slowest_s:.1f} s; all in after {max(e[2] for e in ends):.1f} s")
    assert slowest_s < ARGON2_WAIT_S_MAX + HASH_S_MAX


async def test_half_sent_bodies_cost_no_more_than_their_bound(api: Fleet) -> None:
    """Six hundred of 255 KiB. Seen failing without a bound: 163 MB."""
    await health(api)
    before = private_bytes(api.api.pid)
    size = 255 * 1024
    head = f"POST {LOGIN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size + 1}\r\n\r\n".encode()
    async with AsyncExitStack() as stack:
        worst = 0
        for number in range(600):
            with suppress(OSError):
                _, writer = await opened(stack, api.api.port)
                writer.write(head + bytes(size))
                await writer.drain()
            if number % 50 == 49:
                worst = max(worst, private_bytes(api.api.pid) - before)
        worst_s = await health(api)
        worst = max(worst, private_bytes(api.api.pid) - before)
    print(f"{worst / MIB:.0f} MiB for 600 half-sent bodies; /health {worst_s:.2f} s")
    assert worst < 60 * MIB
    assert worst_s < HEALTH_S_MAX


async def silent(stack: AsyncExitStack, port: int, many: int, addresses: Sequence[str]) -> None:
    for number in range(many):
        with suppress(OSError):
            await opened(stack, port, addresses[number % len(addresses)])


async def test_silent_connections_lock_nobody_out(api: Fleet) -> None:
    """More than a process has, from loopback, which no share binds. Seen failing with uvicorn's limit: 503 for
    everybody, /health included."""
    [email] = await people(api, 1)
    async with AsyncExitStack() as stack:
        await silent(stack, api.api.port, HTTP_CONNECTIONS_MAX + 50, [HOST])
        worst_s = await health(api)
        status, _, took_s = await answer(api.api.port, post(LOGIN, {"email": email, "password": PASSWORD}))
    print(f"/health {worst_s:.2f} s, a login {took_s:.2f} s beside {HTTP_CONNECTIONS_MAX + 50} silent connections")
    assert status == 200
    assert worst_s < HEALTH_S_MAX


async def test_busy_connections_leave_health_its_door(api: Fleet) -> None:
    """As many half-sent bodies as there are connections. Seen failing with uvicorn's limit: 503 for /health."""
    head = f"POST {LOGIN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{{".encode()
    async with AsyncExitStack() as stack:
        began = time.monotonic()
        for _ in range(HTTP_CONNECTIONS_MAX + 20):
            with suppress(OSError):
                _, writer = await opened(stack, api.api.port)
                writer.write(head)
        took_s = time.monotonic() - began
        worst_s = await health(api)  # behind thousands of answers to others, and answered all the same
        status, _, _ = await answer(api.api.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    print(f"/health {worst_s:.2f} s, others {status}, beside as many half-sent bodies, begun within {took_s:.1f} s")


async def test_answers_that_nobody_reads_cost_no_more_than_their_bound(api: Fleet) -> None:
    """A hundred sockets pipeline long answers and read nothing. Seen failing without bounds: their requests waited as
    objects, their answers for ever."""
    data = b"GET /static/vendor/h3.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    await health(api)
    before = private_bytes(api.api.pid)
    worst = 0
    async with AsyncExitStack() as stack:
        for _ in range(100):
            _, writer = await opened(stack, api.api.port)
            writer.write(data * 500)
        for _ in range(20):
            await asyncio.sleep(1)
            worst = max(worst, private_bytes(api.api.pid) - before)
            worst_s = await health(api)
    print(f"{worst / MIB:.0f} MiB for 100 sockets of 500 requests; /health {worst_s:.2f} s")
    assert worst < 90 * MIB
    assert worst_s < HEALTH_S_MAX
