"""The page of operators in a browser, over the real processes: how it all is, and why somebody did not get an event."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import httpx2
import pytest
from playwright.async_api import Page, expect
from redis import Redis
from websockets.asyncio.client import connect

from api.admin import done, parser
from config.settings import Settings
from tests.browser.test_page import WAIT_MS, _start
from tests.support import forks
from tests.support.chromium import launched
from tests.support.gateway import Talk
from tests.support.people import Person, exercise_ids
from tests.support.processes import Fleet
from tests.support.relay import eventually
from tests.support.stores import TestStores, environment

pytestmark = pytest.mark.timeout(120)

OVERVIEW = "/api/v1/admin/overview"


class Installation:
    """A fleet, and who owns its tables."""

    def __init__(self, fleet: Fleet, owner_url: str) -> None:
        self.fleet = fleet
        self.url = fleet.api.http("").rstrip("/")
        self._owner = Settings(database_owner_url=owner_url)

    async def role(self, person: Person, change: str) -> None:
        """Gives or takes the role; tokens have it from the next sign-in on."""
        await done(self._owner, parser().parse_args(["roles", person.id, change, "admin"]))


@pytest.fixture(scope="module")
def here(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    database = stores.make_database()
    with Redis.from_url(stores.redis_url) as redis:
        redis.flushall()
    urls = environment(**database.urls, REDIS_URL=stores.redis_url)
    running = Fleet(urls, tmp_path_factory.mktemp("fleet"), settings={"ADMIN_ORIGINS": ""})
    try:
        asyncio.run(_start(running))
        yield Installation(running, database.owner_url)
    finally:
        running.clean_up()
        stores.drop_database(database)


async def test_an_operator_sees_how_it_is_and_why_somebody_did_not_get_an_event(here: Installation) -> None:
    """Seen failing with a policy without `connect-src`, with a gateway that noted no farewell, and with the places of
    an event looked for without its profile."""
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as client, launched() as browser:
        ada, bob, eve = [await Person(here.url, client, name=name).sign_up() for name in ("Ada", "Bob", "Eve")]
        await here.role(ada, "add")
        page = await browser.new_page(reduced_motion="reduce")
        complaints: list[str] = []
        page.on("console", lambda one: complaints.append(one.text) if one.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(here.url + "/admin")
        await sign_in(page, bob)
        await expect(page.locator("#state")).to_have_text("This account is no operator's.", timeout=WAIT_MS)
        assert [text for text in complaints if "403" not in text] == []
        complaints.clear()
        await sign_in(page, ada)
        await expect(page.locator("#state")).to_have_text("2 processes answer", timeout=WAIT_MS)

        async with connect(here.fleet.ws_url, proxy=None) as socket:
            talk = Talk(socket)
            await talk.ask("connect", token=bob.token)
            await talk.ask("subscribe", channel="community")
            await eve.log_workout((await exercise_ids(here.url, client))[0])
            heard = (await talk.hear("event"))["event"]["id"]
            mine = (await eve.graphql("{ dashboard(first: 1) { edges { node { id } } } }"))["dashboard"]["edges"]
            own = mine[0]["node"]["id"]
            await expect(page.locator("#channels")).to_contain_text("community", timeout=WAIT_MS)
            await expect(page.locator("#numbers")).to_contain_text("Signed-in users1", timeout=WAIT_MS)
            for row in (page.locator("#jobs tr"), page.locator("#flags tr")):
                await expect(row.nth(1)).to_be_visible()
            assert await why(page, bob.email, heard) == [("community", "SENT")]
            assert await why(page, bob.id, own) == [
                (f"profile:{eve.id}", "MAY_NOT_READ"),
                (f"user:{eve.id}", "MAY_NOT_READ"),
            ]
            assert (await why(page, eve.id, own))[:1] == [(f"profile:{eve.id}", "NO_SOCKET")]
            assert await why(page, bob.id, str(uuid4())) == [("", "NO_SUCH_EVENT")]
            assert await why(page, str(uuid4()), heard) == [("", "NO_SUCH_USER")]
            assert await why(page, f"{uuid4().hex}@example.com", heard) == [("", "NO_SUCH_USER")]
        await eventually(
            lambda: why(page, bob.id, heard),
            lambda found: found == [("community", "NO_SOCKET"), ("community", "SOCKET_ENDED")],
        )
        await expect(page.locator("#closes")).to_contain_text("left", timeout=WAIT_MS)
        assert complaints == []


def test_top_shows_each_process(here: Installation) -> None:
    """And what runs beside them. Seen failing with a rate where there was one look, and with no look at the API."""
    done = forks.run("rt", "top", env=here.fleet.env)
    title, _, head, *rows = done.stdout.splitlines()
    assert (title, done.stderr) == ("MuscleMap Live: 2 of 2 gateway processes answer", "")
    assert head.split()[:3] == ["process", "sockets", "users"]
    assert [row.split()[-1] for row in rows[:2]] == ["well", "well"]
    assert rows[2].startswith("all")
    assert all("-" not in row.split() for row in rows[:3])
    assert rows[4].split()[:2] == ["beside", "requests/s"]
    assert [(row.split()[0], row.split()[-1]) for row in rows[5:7]] == [("api", "well"), ("worker", "well")]


async def sign_in(page: Page, person: Person) -> None:
    """By the form."""
    await page.locator("#sign-in [name=email]").fill(person.email)
    await page.locator("#sign-in [name=password]").fill(person.password)
    await page.locator("#sign-in button").click()


async def why(page: Page, user: str, event: str) -> list[tuple[str, str]]:
    """The channels and codes of the reasons."""
    await page.evaluate("document.querySelector('#reasons').replaceChildren()")
    await page.locator("#why [name=user]").fill(user)
    await page.locator("#why [name=event]").fill(event)
    await page.locator("#why button").click()
    lines = page.locator("#reasons li")
    await expect(lines.first).to_be_visible(timeout=WAIT_MS)
    return [
        (str(await one.get_attribute("data-channel")), await one.locator("code").inner_text())
        for one in await lines.all()
    ]


async def test_only_operators_are_answered_and_only_at_home(here: Installation) -> None:
    """Seen failing without the look at the row, without the look at the Origin, and with a forwarding header that was
    not looked at."""
    async with httpx2.AsyncClient(base_url=here.url, timeout=30, trust_env=False) as client:
        person = await Person(here.url, client).sign_up()
        bare = {"Authorization": f"Bearer {person.token}"}
        await here.role(person, "add")
        assert (await client.get(OVERVIEW)).status_code == 403
        assert (await client.get(OVERVIEW, headers=bare)).status_code == 403, "the token is of before"
        await person.sign_in()
        good = {"Authorization": f"Bearer {person.token}"}
        assert (await client.get(OVERVIEW, headers=good)).status_code == 200
        for strange, status in (
            ({"Host": "musclemap.example"}, 400),  # a name that is none of ours
            ({"X-Forwarded-For": "203.0.113.9"}, 404),
            ({"Via": "1.1 proxy"}, 404),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
        ):
            for path in (OVERVIEW, "/admin"):
                assert (await client.get(path, headers=good | strange)).status_code == status, (path, strange)
            answer = await client.post("/api/v1/admin/why", headers=good | strange, json={"user": "a@b", "event": "x"})
            assert answer.status_code == status, strange
        answer = await client.post("/api/v1/admin/why", headers=good, json={"user": "a@b", "event": "x"})
        assert answer.json()["error"]["code"] == "BAD_INPUT"
        page = await client.get("/admin")
        assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert page.headers["cache-control"] == "no-store"
        await here.role(person, "remove")
        assert (await client.get(OVERVIEW, headers=good)).status_code == 403, "the row decides, not the token"
