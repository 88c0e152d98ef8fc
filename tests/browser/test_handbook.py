"""What people who build on it read and run, over the real processes: pages, programs, the schema and GraphiQL."""

import asyncio
import re
import subprocess
import sys
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha384
from pathlib import Path

import httpx2
import pytest
from graphql import build_schema
from playwright.async_api import expect
from redis import Redis

from api import web
from api.app import SCHEMA
from api.web import handbook
from config.settings import Settings
from tests.browser.test_page import WAIT_MS, _start
from tests.support.chromium import launched
from tests.support.live_page import PAGE, page
from tests.support.people import Person, exercise_ids
from tests.support.processes import Fleet
from tests.support.programs import needs
from tests.support.sse import PATH
from tests.support.stores import TestStores, environment

pytestmark = pytest.mark.timeout(120)

WEB = Path(web.__file__).parent
PROGRAMS = handbook.FOLDER / "programs"
PAGES = sorted(path.stem for path in handbook.FOLDER.glob("*.md"))
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def fleet(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    database = stores.make_database()
    with Redis.from_url(stores.redis_url) as redis:
        redis.flushall()
    urls = environment(**database.urls, REDIS_URL=stores.redis_url)
    running = Fleet(urls, tmp_path_factory.mktemp("fleet"), settings={"RT_PROCESSES": "1"})
    try:
        asyncio.run(_start(running))
        yield running
    finally:
        running.clean_up()
        stores.drop_database(database)


def test_the_page_of_the_protocol_is_current() -> None:
    """`python -m tests.support.live_page` writes it. Seen failing with another summary in the document."""
    assert PAGE.read_text("utf-8") == page()


def test_each_page_is_served_and_each_link_leads_somewhere(fleet: Fleet) -> None:
    """Without a script, and what is written as HTML is shown. Seen failing with a link to a page that is not there, and
    without the policy."""
    with httpx2.Client(base_url=fleet.api.http("").rstrip("/"), trust_env=False) as client:
        for name in ("", *PAGES):
            answer = client.get(f"/docs/{name}".rstrip("/"))
            assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
            assert "<script" not in answer.text
            for link in re.findall(r'(?:href|src)="(/[^"#]*)', answer.text):
                assert client.get(link).status_code == 200, (name, link)
        for path in ("/docs/nothing", "/docs/graphiql", "/docs/programs/nothing", "/docs/programs/..%2Fsse.md"):
            assert client.get(path).status_code == 404
        for program in PROGRAMS.iterdir():
            answer = client.get(f"/docs/programs/{program.name}")
            assert answer.content == program.read_bytes()
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert "<dot>" not in handbook._page("# a\n\n<dot>")


def test_the_schema_is_told_outside_production_alone(fleet: Fleet) -> None:
    """Seen failing with routes that did not look where they are."""
    text = httpx2.get(fleet.api.http(handbook.SCHEMA_PATH), trust_env=False).text
    assert set(build_schema(text).type_map) == set(SCHEMA.type_map)
    hidden = {handbook.SCHEMA_PATH, handbook.GRAPHIQL_PATH}
    development, production = Settings(), Settings.model_construct(environment="production")
    for settings, shown in ((development, hidden), (production, set[str]())):
        assert {route.path for route in handbook.routes(settings, SCHEMA)} & hidden == shown  # type: ignore[attr-defined]
        assert (handbook.GRAPHIQL_PATH in handbook.policies(settings)) is bool(shown)


def test_what_graphiql_loads_is_what_was_chosen() -> None:
    """Seen failing with one byte more in a file."""
    loaded = re.findall(r'(?:href|src)="/static/(vendor/[^"]+)" integrity="sha384-([^"]+)"', handbook._GRAPHIQL)
    assert len(loaded) == 4
    for path, expected in loaded:
        found = b64encode(sha384((WEB / "static" / path).read_bytes()).digest()).decode()
        assert (path, found) == (path, expected)


async def test_graphiql_asks_this_api_under_its_policy(fleet: Fleet) -> None:
    """Seen failing without `connect-src`, and with a hash of another file."""
    async with launched() as browser:
        tab = await browser.new_page(reduced_motion="reduce")
        complaints: list[str] = []
        tab.on("console", lambda one: complaints.append(one.text) if one.type == "error" else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        asked: list[str] = []
        tab.on("request", lambda one: asked.append(one.url))
        await tab.goto(fleet.api.http(handbook.GRAPHIQL_PATH))
        await tab.locator(".graphiql-query-editor").click(timeout=WAIT_MS)
        await tab.get_by_role("button", name="Execute query").click()
        await tab.get_by_role("menuitem", name="Presence").click(timeout=WAIT_MS)
        await expect(tab.locator(".result-window")).to_contain_text("presenceStats", timeout=WAIT_MS)
        await tab.get_by_role("button", name="Show Documentation Explorer").click()
        await expect(tab.locator(".graphiql-doc-explorer")).to_contain_text("Mutation")
        await tab.get_by_role("button", name="Open settings dialog").click()
        await expect(tab.get_by_role("dialog")).to_contain_text("Theme")
        assert complaints == []
        assert [url for url in asked if not url.startswith(("data:", fleet.api.http("/")))] == []


@pytest.mark.parametrize("program", ["queries.py", "queries.mjs"])
def test_a_program_that_asks(fleet: Fleet, program: str) -> None:
    """As the page says; the workout that it logs is numbered soon, and read back by the time it has a place."""
    done = subprocess.run(
        [*runner(program), fleet.api.http("").rstrip("/"), f"{uuid.uuid4().hex}@example.com", PASSWORD],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert re.fullmatch(r".*[Ss]quat.* \d+(\.\d+)? training units", first)
    assert re.fullmatch(r"since [^ :]+:\d+", last)


async def test_programs_that_follow(fleet: Fleet) -> None:
    """Each of them through a restart of the gateway, and from a place on: each event once. Seen failing with a
    subscription that comes back without its place."""
    base = fleet.api.http("").rstrip("/")
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as client, AsyncExitStack() as programs:
        person = await Person(base, client).sign_up()
        exercise = (await exercise_ids(base, client))[0]
        place = (await person.graphql("{ communityFeed(first: 1) { position { epoch offset } } }"))["communityFeed"]
        since = "{epoch}:{offset}".format(**place["position"])
        socket = fleet.ws_url.removesuffix("/ws") + "/api/graphql/ws"
        streams = [(program, [f"{fleet.rt.http(PATH)}?since={since}"]) for program in ("stream.py", "stream.mjs")]
        subscriptions = [(program, [socket, since]) for program in ("subscribe.py", "subscribe.mjs")]
        followers = [
            await programs.enter_async_context(running(program, *arguments))
            for program, arguments in streams + subscriptions
        ]
        await person.log_workout(exercise)
        first = [(await lines.__anext__()).split(" ", 1)[0] for lines in followers]
        await fleet.rt.stop()
        await person.log_workout(exercise)
        await fleet.rt.start()
        second = [(await lines.__anext__()).split(" ", 1)[0] for lines in followers]
    offset = place["position"]["offset"]
    assert [int(one.rpartition(":")[2]) for one in first] == [offset + 1] * len(followers)
    assert [int(one.rpartition(":")[2]) for one in second] == [offset + 2] * len(followers)


def runner(program: str) -> list[str]:
    """How a program of the documentation is run."""
    by = [sys.executable] if program.endswith(".py") else [needs("node"), "--experimental-websocket", "--no-warnings"]
    return [*by, str(PROGRAMS / program)]


@asynccontextmanager
async def running(program: str, *arguments: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines that it prints."""
    process = await asyncio.create_subprocess_exec(*runner(program), *arguments, stdout=subprocess.PIPE)
    assert process.stdout is not None
    stdout = process.stdout

    async def lines() -> AsyncIterator[str]:
        while line := await asyncio.wait_for(stdout.readline(), 40):
            yield line.decode()

    try:
        yield lines()
    finally:
        process.kill()
        await process.wait()
