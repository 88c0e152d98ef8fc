"""Requests behind which another one hides, through Debian's Caddy and nginx as shipped: whoever shares a connection of
the proxy to the API hears their own answers and nobody else's."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import httpx2
import pytest

from tests.integration.api.test_smuggling import REFUSED, UPGRADES
from tests.support.fronts import FRONTS, SITE, Front, front
from tests.support.processes import Fleet
from tests.support.stores import TestStores

SETTINGS = {"ALLOWED_ORIGINS": f"https://{SITE}", "TRUSTED_PROXIES": "127.0.0.1,::1", "COOKIE_SECURE": "true"}
ANSWER_S = 20.0
ROUNDS = 4
PASSWORD = "correct horse battery"
HEAD = f"POST /api/graphql HTTP/1.1\r\nHost: {SITE}\r\nContent-Type: application/json\r\n".encode()
HIDDEN = f"GET /.well-known/jwks.json HTTP/1.1\r\nHost: {SITE}\r\n\r\n".encode() * 3
# More than a proxy sends in one piece: empty lines, so that whatever a piece begins with, a request may follow.
PADDED = b"\r\n" * 8_192 + HIDDEN
ME = b'{"query":"{ me { name } }"}'


@pytest.fixture(scope="module")
def product(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """An API with the settings that the proxies' files ask for."""
    running = Fleet(stores.environment(), tmp_path_factory.mktemp("api"), roles=("api",), settings=SETTINGS)
    try:
        running.api.launch()
        asyncio.run(running.api.wait_ready())
        yield running
    finally:
        running.clean_up()


@pytest.fixture(scope="module")
def tokens(product: Fleet) -> dict[str, str]:
    """Two people by their names, signed in."""
    made = {}
    with httpx2.Client(base_url=product.api.http("").rstrip("/"), timeout=20) as client:
        for name in ("Ada", "Bert"):
            person = {"email": f"{name}-smuggling@example.com", "password": PASSWORD, "name": name}
            client.post("/api/v1/auth/register", json=person).raise_for_status()
            made[name] = client.post("/api/v1/auth/login", json=person).json()["accessToken"]
    return made


@pytest.fixture(scope="module", params=FRONTS)
def proxy(request: pytest.FixtureRequest, product: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with front(request.param, tmp_path_factory.mktemp("front"), api_port=product.api.port, rt_port=1) as running:
        yield running


class Client:
    """A keep-alive connection to the proxy, opened again where it was closed."""

    def __init__(self, proxy: Front) -> None:
        self._proxy = proxy
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, data: bytes) -> bytes:
        """The next answer, whole. Fails where none comes."""
        for _ in range(2):
            try:
                async with asyncio.timeout(ANSWER_S):
                    self._streams = self._streams or await self._proxy.open()
                    reader, writer = self._streams
                    writer.write(data)
                    return await _answer(reader)
            except (OSError, asyncio.IncompleteReadError):
                await self.close()
        raise AssertionError("no answer")

    async def close(self) -> None:
        if self._streams is not None:
            await _close(self._streams[1])
        self._streams = None


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = head.lower()
    if b"content-length: " in fields:
        length = int(fields.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await reader.readexactly(length)
    body = b""
    while size := int((await reader.readline()).strip(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return head + body


async def attack(proxy: Front, parts: tuple[bytes, ...]) -> None:
    """Sends the parts one by one and hears what comes; a refusal is as good as an answer."""
    reader, writer = await proxy.open()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(3):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.003)  # so that they reach the API in packets of their own, as an attacker would
            await reader.read(65_536)
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


def attacks() -> list[tuple[bytes, ...]]:
    length = b"Content-Length: %d\r\n\r\n" % len(HIDDEN)
    chunk = b"%x\r\n%b\r\n0\r\nAuthorization: Bearer x\r\n\r\n" % (len(HIDDEN), HIDDEN)
    found: list[tuple[bytes, ...]] = []
    for upgrade in UPGRADES.values():
        found += [(HEAD + upgrade + length, HIDDEN), (HEAD + upgrade + length + HIDDEN,)]
        found.append((HEAD + upgrade + b"Content-Length: %d\r\n\r\n" % len(PADDED), PADDED))
        found += [(HEAD + upgrade + b"Transfer-Encoding: chunked\r\n\r\n", chunk)]
    found += [(HEAD + b"Expect: 100-continue\r\n" + length, HIDDEN), (HEAD + b"Expect: x\r\n" + length, HIDDEN)]
    for data in REFUSED.values():
        found.append((data.replace(b"127.0.0.1", SITE.encode()), HIDDEN))
    return found


async def test_nobody_hears_anothers_answer(proxy: Front, product: Fleet, tokens: dict[str, str]) -> None:
    """Two people ask who they are and a third for /health, on the connections that the proxy has, each after each
    attack and all beside each other. Seen failing with uvicorn's own parser behind Caddy: answers to hidden requests,
    and then everybody's answer to somebody else."""
    counts: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        clients = {name: Client(proxy) for name in ("Ada", "Bert", "health")}
        for client in clients.values():
            stack.push_async_callback(client.close)

        async def honest(name: str) -> None:
            data = f"GET /health HTTP/1.1\r\nHost: {SITE}\r\n\r\n".encode()
            own = b'"alive"'
            if name in tokens:
                length = f"Authorization: Bearer {tokens[name]}\r\nContent-Length: {len(ME)}\r\n\r\n".encode()
                data, own = HEAD + length + ME, b'"name":"' + name.encode() + b'"'
            heard = await clients[name].ask(data)
            counts[f"{name} {'own' if own in heard else 'other'}"] += 1

        for name in clients:
            await honest(name)
        assert upstream_connections(product.api.port) <= 2  # they do share
        for parts in attacks():
            await attack(proxy, parts)
            for name in clients:
                await honest(name)
        for _ in range(ROUNDS):
            await asyncio.gather(*(attack(proxy, parts) for parts in attacks()), *(honest(name) for name in clients))
        assert counts == {f"{name} own": 1 + len(attacks()) + ROUNDS for name in clients}


def upstream_connections(port: int) -> int:
    """Established connections to this port of this machine, as the kernel lists them."""
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    rows = [line.split() for line in lines]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)
