"""What a signed-in person sees, walked through in real Chromium over the real processes as one person would."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import httpx2
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.test_page import DESKTOP, Visit, _start, browser, chromium, visit  # noqa: F401 - the fixtures
from tests.support.axe import violations
from tests.support.node import node_with_packages
from tests.support.people import Person, exercise_ids
from tests.support.processes import Fleet
from tests.support.stores import TestStores, environment

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

NAME, EMAIL, PASSWORD = "Grace Hopper", "grace.views@example.com", "correct horse battery"
NARROW: Final = 320
SEARCH: Final = "squat back"  # both words, in any order
FOLLOW: Final = "mutation($id: ID!) { follow(userId: $id) { followState } }"
RICH: Final = ("me", "challenges", "privacy")
VIEWS: Final = ("me", "muscles", "people", "people/news", "leaderboard", "challenges", "rivals", "credits", "privacy")


@pytest.fixture(scope="module")
def fleet(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, str]]:
    """One running product, and its database as the owner's address."""
    database = stores.make_database()
    running = Fleet(environment(**database.urls, REDIS_URL=stores.redis_url), tmp_path_factory.mktemp("views"))
    try:
        asyncio.run(_start(running))
        yield running, database.owner_url
    finally:
        running.clean_up()
        stores.drop_database(database)


class Walk:
    """Somebody who goes through the pages."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.page: Page = visit.page
        self.view = self.page.locator("#view")

    async def goes(self, name: str) -> None:
        await self.page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
        await self.settled()

    async def opens(self, path: str) -> None:
        await self.page.evaluate("(path) => { location.hash = '#/' + path; }", path)
        await self.settled()

    async def settled(self) -> None:
        await expect(self.view).to_have_attribute("aria-busy", "false")

    async def presses(self, name: str) -> None:
        await self.view.get_by_role("button", name=name, exact=True).click()

    async def reads(self, words: str) -> None:
        await expect(self.view).to_contain_text(words)


async def test_a_person_walks_through_all_that_is_theirs(
    browser: Browser,  # noqa: F811
    fleet: tuple[Fleet, str],
) -> None:
    """Planted once and seen to fail: a search that looks for the words in their order; a view that is not shown again
    when somebody signs in; a profile's feed that is not followed; `decline` for `accept`."""
    running, database = fleet
    async with httpx2.AsyncClient() as client:
        ada = await Person(running.api.http(""), client, name="Ada Lovelace").sign_up()
        exercise = (await exercise_ids(running.api.http(""), client))[0]
        await ada.log_workout(exercise)

        walk = Walk(await visit(browser, running))
        await signs_up_where_it_is_needed(walk)
        await finds_an_exercise_by_typing(walk)
        await has_a_profile(walk)
        await joins_a_challenge(walk)
        await follows_and_competes(walk, ada, exercise)
        await stands_on_the_leaderboard(walk, database)
        await walk.goes("Credits")
        await walk.reads("100 credits")
        await walk.reads("Welcome")
        await walk.reads("You try it for free until")
        await lets_followers_ask(walk, ada)
        await fits_everywhere(walk)
        await takes_the_data(walk)
        assert walk.visit.complaints == []
        await deletes_the_account(walk)  # after which the session is refused, as the browser notes
        account = {"email": EMAIL, "password": PASSWORD}
        assert (await client.post(running.api.http("/api/v1/auth/login"), json=account)).status_code == 401


async def signs_up_where_it_is_needed(walk: Walk) -> None:
    await walk.opens("nothing-here")
    await walk.reads("There is no such page.")
    await walk.opens("challenges")
    await walk.reads("sign in to see this")
    await walk.presses("Create an account")
    form = walk.page.locator("#credentials")
    await form.get_by_label("Name").fill(NAME)
    await form.get_by_label("E-mail").fill(EMAIL)
    await form.get_by_label("Password").fill(PASSWORD)
    await form.get_by_role("button", name="Create an account").click()
    await expect(walk.page.locator("#who")).to_have_text(NAME)
    await expect(walk.view.get_by_role("list", name="Today").get_by_role("listitem")).to_have_count(3)


async def finds_an_exercise_by_typing(walk: Walk) -> None:
    await walk.page.get_by_role("link", name="Live", exact=True).click()
    form = walk.page.locator("#workout")
    field = form.get_by_role("combobox", name="Exercise")
    await field.press_sequentially("zzz")
    await expect(form.get_by_role("option")).to_contain_text("No exercise of that name")
    await field.fill(SEARCH)
    await expect(form.get_by_role("option", name="Barbell back squat")).to_be_visible()
    await field.press("ArrowDown")
    await field.press("Escape")
    await form.get_by_role("button", name="Save workout").click()
    await expect(form.locator(".result")).to_be_empty()  # the browser says what is missing
    await field.fill("barbell back")
    await field.press("Enter")
    await expect(field).to_have_value("Barbell back squat")
    await form.get_by_label("Weight, kg").fill("62.5")
    await form.get_by_role("button", name="Save workout").click()
    await expect(form.locator(".result.good")).to_contain_text("training units")


async def has_a_profile(walk: Walk) -> None:
    await walk.page.get_by_role("link", name=NAME).click()
    await walk.reads("Level 1")
    await walk.reads("1 day")
    await expect(walk.view.get_by_role("list", name="Achievements")).to_contain_text("First step")
    await walk.view.get_by_role("combobox", name="Way to train").select_option(label="Powerlifter")
    await walk.presses("Save: Way to train")
    await expect(walk.view.locator("section").first).to_contain_text("Powerlifter")
    await walk.view.get_by_role("combobox", name="Time zone").select_option("Pacific/Auckland")
    await walk.presses("Save: Time zone")
    await walk.reads("This device is in")
    await walk.view.get_by_role("link", name="history of your muscles").click()
    await walk.view.get_by_role("link", name="Quadriceps").click()
    await expect(walk.view.get_by_role("list", name="Quadriceps by week").get_by_role("listitem")).to_have_count(12)
    await walk.page.go_back()
    await expect(walk.view.get_by_role("list", name="Muscles")).to_be_visible()


async def joins_a_challenge(walk: Walk) -> None:
    await walk.goes("Challenges")
    await walk.view.get_by_role("button", name="Join:").first.click()
    await expect(walk.view.get_by_role("list", name="This week")).to_contain_text("joined,")


async def follows_and_competes(walk: Walk, ada: Person, exercise: str) -> None:
    await walk.goes("Rivals")
    await walk.reads("No rival yet")
    await walk.view.get_by_role("link", name="Find somebody").click()
    await walk.view.get_by_label("Name").fill("love")
    found = walk.view.get_by_role("list", name="People found")
    await found.get_by_role("button", name="Follow: Ada Lovelace").click()
    await expect(found.get_by_role("button", name="Unfollow: Ada Lovelace")).to_be_visible()
    await found.get_by_role("link", name="Ada Lovelace").click()
    feed = walk.view.locator("live-feed")
    await expect(feed).to_have_attribute("data-state", "live")
    before = await feed.get_by_role("listitem").filter(has_text="finished a workout").count()
    await ada.log_workout(exercise)
    await expect(feed.get_by_role("listitem").filter(has_text="workout").nth(before)).to_be_visible()
    await walk.presses("Add as a rival")
    await expect(walk.view.get_by_role("list", name="Rivals")).to_contain_text("Ada Lovelace")
    await walk.opens("people/news")
    await walk.reads("Ada Lovelace finished a workout")
    await walk.opens("people/following")
    await walk.reads("Ada Lovelace")


async def stands_on_the_leaderboard(walk: Walk, database: str) -> None:
    owner = await asyncpg.connect(database)
    try:
        await owner.execute("REFRESH MATERIALIZED VIEW leaderboard")
    finally:
        await owner.close()
    await walk.opens("leaderboard/streak/month")
    await expect(walk.view.get_by_role("list", name="Your place")).to_contain_text("1 day")
    await expect(walk.view.get_by_role("list", name="Leaderboard")).to_contain_text("Ada Lovelace")
    await walk.view.get_by_role("link", name="Volume").click()
    await walk.reads("training units")


async def lets_followers_ask(walk: Walk, ada: Person) -> None:
    await walk.goes("Privacy and data")
    await walk.view.get_by_role("radio", name="Followers", exact=True).check()
    await walk.reads("Saved. It holds from now on")
    await walk.opens("me")
    link = await walk.view.get_by_label("Link to your profile").input_value()
    await ada.graphql(FOLLOW, id=link.rpartition("/")[2])
    await walk.opens("people/requests")
    await walk.presses("Accept: Ada Lovelace")
    await walk.reads("Ada Lovelace follows you now.")
    await walk.opens("people/followers")
    await walk.reads("follows you")


async def fits_everywhere(walk: Walk) -> None:
    """No page is wider than a small phone, each has a heading, and axe-core finds nothing where there is most."""
    _, modules = await asyncio.to_thread(node_with_packages)
    await walk.page.set_viewport_size({"width": NARROW, "height": 640})
    for path in VIEWS:
        await walk.opens(path)
        await expect(walk.view.get_by_role("heading").first).to_be_visible()
        assert await walk.page.evaluate("document.documentElement.scrollWidth") <= NARROW, path
        if path in RICH:
            assert await violations(walk.page, modules, [NARROW]) == [], path
    await walk.page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})


async def takes_the_data(walk: Walk) -> None:
    await walk.goes("Privacy and data")
    async with walk.page.expect_download() as download:
        await walk.presses("Download my data")
    path = await (await download.value).path()
    data = json.loads(await asyncio.to_thread(Path(path).read_text, "utf-8"))["data"]
    assert data["profile"]["email"] == EMAIL
    assert len(data["workouts"]) == 1
    await walk.reads("Saved: 1 workout")


async def deletes_the_account(walk: Walk) -> None:
    await walk.view.get_by_label("Your password").fill("wrong horse battery")
    await walk.view.get_by_label("I know that nothing of it comes back").check()
    await walk.presses("Delete my account for good")
    await walk.reads("That is not your password")
    await walk.view.get_by_label("Your password").fill(PASSWORD)
    await walk.presses("Delete my account for good")
    await expect(walk.page.locator("#welcome")).to_be_visible()
    await expect(walk.page.get_by_role("link", name="Challenges")).to_be_hidden()
