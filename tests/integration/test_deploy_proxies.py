"""config/deploy as shipped, by Debian's own Caddy and nginx: what the public reaches, and how."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pytest
from redis import Redis
from websockets.asyncio.client import connect
from websockets.typing import Origin

from config.limits import HEAD_BYTES_MAX, HTTP_BODY_BYTES_MAX, HTTP_KEEP_ALIVE_S
from tests.support.fronts import DEPLOY, FRONTS, SITE, Front, front, trusting
from tests.support.gateway import until
from tests.support.processes import Fleet
from tests.support.raw import UPGRADE
from tests.support.stores import TestStores, environment

SETTINGS = {"ALLOWED_ORIGINS": f"https://{SITE}", "TRUSTED_PROXIES": "127.0.0.1,::1", "COOKIE_SECURE": "true"}
ANSWER_S = 20.0


@pytest.fixture(scope="module")
def product(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """API and gateway with the settings that the proxies' files ask for; no test minds what another left."""
    database = stores.make_database()
    with Redis.from_url(stores.redis_url) as redis:
        redis.flushall()
    urls = environment(**database.urls, REDIS_URL=stores.redis_url)
    running = Fleet(urls, tmp_path_factory.mktemp("product"), roles=("rt", "api"), settings=SETTINGS)
    try:
        asyncio.run(_start(running))
        yield running
    finally:
        running.clean_up()
        stores.drop_database(database)


async def _start(fleet: Fleet) -> None:
    for service in fleet.services.values():
        service.launch()
    for service in fleet.services.values():
        await service.wait_ready()


@pytest.fixture(scope="module", params=FRONTS)
def proxy(request: pytest.FixtureRequest, product: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Each proxy before the product."""
    folder = tmp_path_factory.mktemp("front")
    with front(request.param, folder, api_port=product.api.port, rt_port=product.rt.port) as running:
        yield running


async def ask(
    proxy: Front, target: str, extra: str = "", method: str = "GET", body: str = "", host: str = SITE
) -> tuple[int, bytes]:
    """Status and body of the answer to `target` as it is spelled."""
    head_bytes, _, rest = (await whole(proxy, target, extra, method, body, host)).partition(b"\r\n\r\n")
    return int(head_bytes.split()[1]), rest


async def whole(
    proxy: Front, target: str, extra: str = "", method: str = "GET", body: str = "", host: str = SITE
) -> bytes:
    """The answer with its head."""
    async with asyncio.timeout(ANSWER_S):
        reader, writer = await proxy.open()
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{extra}Connection: close\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}\r\n{body}".encode("latin-1"))
        answer = await reader.read()
        writer.close()
    return answer


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/config.json", "/static/app.js", "/static/vendor/h3.js"),
        *("/.well-known/jwks.json", "/health", "/docs", "/docs/sse"),
        *("/widgets", "/widgets.js", "/widgets/client.js"),
    ],
)
async def test_what_is_public_comes_through(proxy: Front, path: str) -> None:
    """Seen failing with `/static/*` not named."""
    assert (await ask(proxy, path))[0] == 200


async def test_the_page_is_told_where_its_gateway_is(proxy: Front) -> None:
    """As the browser reaches it, and the page's policy lets it go there. Seen failing with the gateway's own port."""
    for host in (SITE, f"{SITE}:{proxy.port}"):
        status, body = await ask(proxy, "/config.json", host=host)
        assert (status, json.loads(body)["rtUrl"]) == (200, f"wss://{host}/ws")
        assert f"connect-src 'self' ws://{host} wss://{host};".encode() in await whole(proxy, "/", host=host)


async def test_graphql_and_sockets_come_through(proxy: Front) -> None:
    """Seen failing with `/ws` behind the refusal of everything else."""
    query = json.dumps({"query": "{ muscles { id } }"})
    status, body = await ask(proxy, "/api/graphql", method="POST", body=query)
    assert (status, b'"data"' in body) == (200, True)
    for path, first, answer in (
        ("/ws", "connect", "welcome"),
        ("/api/graphql/ws", "connection_init", "connection_ack"),
    ):
        async with connect(
            f"wss://{SITE}{path}",
            origin=Origin(f"https://{SITE}"),
            host="127.0.0.1",
            port=proxy.port,
            ssl=trusting(),
            proxy=None,
        ) as socket:
            await socket.send(json.dumps({"type": first}))
            assert json.loads(await asyncio.wait_for(socket.recv(), ANSWER_S))["type"] == answer


UPGRADING = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items() if name not in ("Host", "Connection"))
COOKIES = {
    "8 KB": f"Cookie: {'c=d; ' * 1_620}e=f\r\n",
    "a long one": f"Cookie: {'c' * (HEAD_BYTES_MAX - 1_500)}=d\r\n",
    "of another alphabet": "Cookie: c=" + "é" * 9_000 + "\r\n",
    "of two kinds": f"Cookie: {'c=d; ' * 1_000}e=f\r\n" + f"X-Note: {'n' * 5_000}\r\n",
}


@pytest.mark.parametrize("kind", COOKIES)
async def test_what_a_browser_brings_opens_page_and_socket(proxy: Front, product: Fleet, kind: str) -> None:
    """Cookies of a site go to the page and to its socket, and one bound holds for both. Seen failing with 8 KiB for the
    gateway and 32 for the API (the page came, its socket did not), with the 8 KiB that the reader of odd requests has
    for a line, and with the 8 KiB that nginx has."""
    cookies = COOKIES[kind]
    assert (await ask(proxy, "/", cookies))[0] == 200
    upgrade = f"GET /ws HTTP/1.1\r\nHost: {SITE}\r\nConnection: Upgrade\r\n{UPGRADING}{cookies}\r\n".encode("latin-1")
    for open_one in (proxy.open, partial(asyncio.open_connection, "127.0.0.1", product.rt.port)):
        reader, writer = await open_one()
        writer.write(upgrade)
        status = (await asyncio.wait_for(reader.readline(), ANSWER_S)).split()[1]
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        assert status == b"101"


async def test_a_head_that_is_too_big_opens_neither(proxy: Front) -> None:
    """Seen failing with 200 for the page where the API took twice as much."""
    cookies = "".join(f"X-Note-{n}: {'n' * 6_000}\r\n" for n in range(3))
    assert len(cookies) > HEAD_BYTES_MAX
    assert (await ask(proxy, "/", cookies))[0] in (400, 431)
    upgrade = UPGRADING + cookies
    assert (await ask(proxy, "/ws", upgrade))[0] in (400, 431)


async def test_a_plain_connection_is_sent_to_tls(proxy: Front) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.plain_port)
    writer.write(f"GET /x?y HTTP/1.1\r\nHost: {SITE}\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), ANSWER_S)
    writer.close()
    assert re.search(rf"^location: https://{re.escape(SITE)}(:\d+)?/x\?y\r$".encode(), answer, re.M | re.I), answer


@pytest.mark.parametrize("what", ["metrics", "ready"])
async def test_what_is_for_operators_is_not_public(proxy: Front, what: str) -> None:
    """By no spelling. Seen failing with `handle` beside `respond` in the Caddyfile, which sorts `handle` first: 200 to
    the plain spelling, with a query, with an escape, with %0a behind it."""
    spellings = (
        *(
            "/{}",
            "//{}",
            "/./{}",
            "/{}/",
            "/{}?x",
            "/{}%0a",
            "/{}%0d%0a",
            "/{}%00",
            "/{}%20",
            "/{};x",
            "/{}.",
            "/{}%2f",
        ),
        *("/%2f{}", "/%2e/{}", "/x/../{}", "/x/%2e%2e/{}", "/x%2f..%2f{}", "/static/../{}", "/static/%2e%2e/{}"),
        *("/ws/../{}", "/ws/%2e%2e/{}", "/ws%2f..%2f{}", "/ws/{}", "/api/../{}", "/api/%2e%2e/{}", "/api%2f..%2f{}"),
        *("/api/{}", "/.well-known/../{}", "/health/../{}", "/health%2f..%2f{}", "/\\{}", "/%5c{}", "/static/..\\{}"),
        *(f"https://{SITE}/{{}}", f"http://{SITE}/{{}}", f"https://{SITE}//{{}}", "http://127.0.0.1:8001/{}"),
    )
    names = (what, what.upper(), f"%{ord(what[0]):x}{what[1:]}", f"%25{ord(what[0]):x}{what[1:]}")
    extra = f"X-Original-URL: /{what}\r\nX-Rewrite-URL: /{what}\r\nX-Forwarded-Prefix: /{what}\r\n"
    targets = [spelling.format(name) for spelling in spellings for name in names]
    answers: list[tuple[int, bytes]] = []
    for at in range(0, len(targets), 20):
        answers += await asyncio.gather(*(ask(proxy, target, extra) for target in targets[at : at + 20]))
    public = [
        (target, status)
        for target, (status, body) in zip(targets, answers, strict=True)
        if b"# HELP" in body or b"reasons" in body or status >= 500 or (status < 300 and body)
    ]
    assert not public


async def test_what_a_client_says_of_itself_is_replaced(proxy: Front, product: Fleet) -> None:
    """Address and scheme are the proxy's word. Seen failing with `$proxy_add_x_forwarded_for` (the API then logged
    203.0.113.9, since it takes the rightmost address that is no proxy) and without X-Forwarded-Proto in nginx.conf."""
    lies = f"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\nX-Request-Id: lies-{proxy.name}\r\n"
    status, body = await ask(proxy, "/config.json", lies)
    assert (status, json.loads(body)["rtUrl"].partition(":")[0]) == (200, "wss")
    name = f"lies-{proxy.name}"
    await until(lambda: name in product.api.log.read_text("utf-8"))  # said once the answer is out
    lines = [line for line in product.api.log.read_text("utf-8").splitlines() if name in line]
    assert {json.loads(line)["client"] for line in lines} == {"127.0.0.1"}


async def test_a_page_without_tls_is_another_site(proxy: Front) -> None:
    """Whoever sits between a browser and us writes such a page of our name. Seen failing with a comparison of the host
    alone: the login was tried (401)."""
    body = json.dumps({"email": "nobody@example.com", "password": "not the password"})
    for scheme, expected in (("http", 403), ("https", 401)):
        origin = f"Origin: {scheme}://{SITE}\r\n"
        assert (await ask(proxy, "/api/v1/auth/login", origin, "POST", body))[0] == expected


async def test_a_body_that_is_too_big_is_refused_by_the_api(proxy: Front) -> None:
    """In GraphQL's shape, and one of the API's size is taken. Seen failing with Caddy's `256KB`, less than the API's
    256 KiB (502), and with nginx's own page."""
    fits = json.dumps({"query": "{ muscles { id } }"}).ljust(HTTP_BODY_BYTES_MAX)
    assert (await ask(proxy, "/api/graphql", method="POST", body=fits))[0] == 200
    status, body = await ask(proxy, "/api/graphql", method="POST", body=fits + " ")
    assert (status, json.loads(body)["errors"][0]["extensions"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("name", "line"), [("Caddyfile", r"keepalive (\d+)s"), ("nginx.conf", r"keepalive_timeout (\d+)s;")]
)
def test_a_proxy_lets_go_of_a_connection_before_the_api_does(name: str, line: str) -> None:
    """Else it sends a request into a connection that is just being closed, and answers 502. Other people's proxies
    keep theirs for 60 s. Seen failing with 5 s of ours (3 of 364 POSTs were 502 behind a proxy with its defaults)."""
    found = re.findall(line, (DEPLOY / name).read_text("utf-8"))
    assert found
    assert all(60 <= int(seconds) < HTTP_KEEP_ALIVE_S - 5 for seconds in found)
