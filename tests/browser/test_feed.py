"""The feed in real Chromium over the real processes: what pours, what somebody reads meanwhile, and who applauds."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx2
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.test_page import WAIT_MS, Visit, _start, browser, chromium, visit  # noqa: F401 - the fixtures
from tests.support.axe import violations
from tests.support.community import PUBLIC, WORKOUT, record
from tests.support.gateway import until as eventually
from tests.support.ledger import connection
from tests.support.node import node_with_packages
from tests.support.people import Person, exercise_ids
from tests.support.processes import Fleet
from tests.support.stores import Database, environment

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]
expect.set_options(timeout=WAIT_MS)

RATE: Final = 2  # events of the community a second; half a minute of them goes out one by one
POUR: Final = 70
PILE_KEPT: Final = 50  # of which a pile tells one by one
REQUEST_S: Final = 60.0
KEPT: Final = 60
NEWEST: Final = 40  # of which one answer tells
NARROW_AND_WIDE: Final = (320, 1920)
SETTLED: Final = "() => !document.querySelector('#dashboard').shadowRoot.querySelector('.older:disabled')"
HAPPENED: Final = "{ dashboard(first: 20) { edges { node { id type } } } }"
APPLAUDED: Final = """mutation Applaud($user: ID!, $event: ID!) {
  follow(userId: $user) { id }
  sendHighFive(eventId: $event, idempotencyKey: "once") { highFives }
}"""
HIGH_FIVE: Final = """mutation Applaud($event: ID!) {
  sendHighFive(eventId: $event, idempotencyKey: "once") { highFives }
}"""
OPENED: Final = """(kept) => {
  const pile = document.querySelector("#community").shadowRoot.querySelector("#opened");
  const told = parseInt(pile.querySelector("summary .title").textContent);
  const rows = pile.querySelectorAll("ol > li").length;
  return told >= 5 && rows === (told <= kept ? told : kept + 1);
}"""
LATER: Final = """() => {
  const now = Date.now;
  Date.now = () => now() + 7_200_000;
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def fleet(database: Database, redis_url: str, tmp_path: Path) -> Iterator[Fleet]:
    env = environment(**database.urls, REDIS_URL=redis_url)
    running = Fleet(env, tmp_path, settings={"FEED_RATE": f"community={RATE}"})
    try:
        asyncio.run(_start(running))
        yield running
    finally:
        running.clean_up()


@dataclass
class Athletes:
    """Bea, and Cleo, who is only seen by her number."""

    bea: Person
    cleo: Person
    exercise: str
    database: Database

    async def logs(self, count: int) -> None:
        """Bea's workouts, one after the other."""
        for _ in range(count):
            await self.bea.log_workout(self.exercise)

    async def pour(self, count: int) -> None:
        """Events of Cleo, all in the moment of one commit."""
        async with connection(self.database.superuser_url) as app, app.transaction():
            for _ in range(count):
                await record(app, UUID(self.cleo.id), "workout_completed", PUBLIC, WORKOUT)


async def signs_in(one: Visit, person: Person) -> None:
    await one.page.get_by_role("button", name="Sign in").first.click()
    form = one.page.locator("#credentials")
    await form.get_by_label("E-mail").fill(person.email)
    await form.get_by_label("Password").fill(person.password)
    await form.get_by_role("button", name="Sign in").first.click()
    await expect(one.page.locator("#dashboard")).to_have_attribute("data-state", "live")


def feed(page: Page, name: str) -> tuple[Locator, Locator, Locator]:
    """Its rows, what scrolls, and the button above it."""
    found = page.locator(f"#{name}")
    return found.locator(".scroller > ol > li"), found.locator(".scroller"), found.locator(".pill")


@pytest.mark.alone  # what comes within seconds is put together
async def test_it_is_read_at_ease_whatever_pours(
    browser: Browser,  # noqa: F811
    fleet: Fleet,
    database: Database,
) -> None:
    """Seen failing with events shown at once to whoever reads further down, with older events that are added to all
    before them, with a row for each digest, with workouts that are never put together, with ages that are told once,
    with --soft at half of its contrast, with high fives of others that no row is told of, with rows
    that nobody has applauded yet taken for unseen, with nobody asked where the owner hears of one, and with what is
    scrolled to left until the next time."""
    _, modules = node_with_packages()
    async with httpx2.AsyncClient(timeout=REQUEST_S) as client:
        base = fleet.api.http("")
        ada, bea, cleo = [await Person(base, client, name=name).sign_up() for name in ("Ada", "Bea", "Cleo")]
        athletes = Athletes(bea, cleo, (await exercise_ids(base, client))[0], database)
        await athletes.logs(KEPT + 20)

        watcher, member = await visit(browser, fleet), await visit(browser, fleet)
        await member.page.locator("#dashboard").evaluate(f"(one) => one.setAttribute('keep', '{KEPT}')")
        await signs_in(member, athletes.bea)
        await signs_in(watcher, ada)
        await watcher.joins_live()
        await reads_all_and_is_not_disturbed(member.page, athletes, await first_event(athletes.bea))
        await is_applauded(member.page, bea, ada)
        await is_counted_where_one_scrolls_to(watcher.page, athletes.cleo)
        await applauds(watcher.page, member.page, athletes)
        await is_told_how_many(watcher.page, athletes)
    assert await violations(member.page, modules, NARROW_AND_WIDE) == []
    await watcher.page.evaluate(LATER)
    times = watcher.page.locator("#community time")
    assert set(await times.all_inner_texts()) == {"2 hr. ago"}

    await watcher.page.get_by_role("button", name="Sign out").click()
    await expect(watcher.page.locator("#welcome")).to_be_visible()
    await watcher.joins_live()
    assert await violations(watcher.page, modules, NARROW_AND_WIDE) == []
    assert watcher.complaints + member.complaints == []


async def first_event(person: Person) -> str:
    """The oldest of somebody's dashboard."""
    answer = await person.graphql("{ dashboard(first: 100) { edges { node { id } } } }")
    oldest: str = answer["dashboard"]["edges"][-1]["node"]["id"]
    return oldest


async def reads_all_and_is_not_disturbed(page: Page, athletes: Athletes, first: str) -> None:
    """To one's first event, with no more rows than are kept; what happens meanwhile waits."""
    rows, scroller, pill = feed(page, "dashboard")
    older = page.locator("#dashboard .older")
    while await older.is_visible():
        await scroller.evaluate("(one) => one.scrollTo(0, one.scrollHeight)")
        await page.wait_for_function(SETTLED, polling=50)
        assert await rows.count() <= KEPT
        assert await scroller.evaluate("(one) => one.clientHeight < 500")
    assert await rows.last.get_attribute("data-id") == first
    await expect(pill).to_have_text("Back to the newest")
    await pill.click()
    await expect(pill).to_be_hidden()
    newest = await rows.first.get_attribute("data-id") or ""

    await scroller.evaluate("(one) => one.scrollTo(0, 80)")
    seen = rows.nth(3)
    where = await seen.bounding_box()
    await athletes.logs(1)
    await expect(pill).to_contain_text("new event")
    await expect(rows.first).to_have_attribute("data-id", newest)
    assert await seen.bounding_box() == where
    await pill.click()
    await expect(rows.first).not_to_have_attribute("data-id", newest)
    await expect(pill).to_be_hidden()


async def applauds(page: Page, owner: Page, athletes: Athletes) -> None:
    """One high five for a workout that nobody's name is on, and none for one's own."""
    rows, _, _ = feed(page, "community")
    before = await rows.first.get_attribute("data-id") or ""
    await athletes.logs(1)
    await expect(rows.first).not_to_have_attribute("data-id", before)
    row = page.locator(f"#community [data-id='{await rows.first.get_attribute('data-id')}']")
    await row.get_by_role("button", name="High five").click()
    await expect(row.locator(".five")).to_have_attribute("aria-pressed", "true")
    await expect(row.locator(".five")).to_contain_text("1")
    await expect(owner.locator("#dashboard")).to_contain_text("Ada gave you a high five")
    seen = owner.locator(f"#community [data-id='{await row.get_attribute('data-id')}'] .five")
    await owner.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # nobody is told live: it asks
    await expect(seen).to_contain_text("1")
    await owner.locator("#community .five").first.click()
    await expect(owner.locator("#community .notice")).to_have_text("That one is your own.")


async def is_applauded(page: Page, owner: Person, friend: Person) -> None:
    """By a follower, who reads the same event as its owner: its row there moves with what the owner is told."""
    edges = (await owner.graphql_surely(HAPPENED))["dashboard"]["edges"]
    event = next(edge["node"]["id"] for edge in edges if edge["node"]["type"] == "workout_completed")
    await page.locator("#dashboard").evaluate("(one) => one.scrollIntoView()")
    shown = page.locator(f"#dashboard [data-id='{event}'] .five")
    await expect(shown).to_have_count(1)
    await expect(shown).to_be_hidden()
    await friend.graphql_surely(APPLAUDED, user=owner.id, event=event)
    await expect(shown).to_contain_text("1")


async def is_counted_where_one_scrolls_to(page: Page, stranger: Person) -> None:
    """Further down than the newest forty, a minute after its page was read."""
    _, scroller, _ = feed(page, "community")
    workouts = page.locator("#community .scroller > ol > li[data-type=workout_completed]")

    async def comes_deeper() -> bool:
        await scroller.evaluate("(one) => one.scrollTo(0, one.scrollHeight)")
        return await workouts.count() > NEWEST

    await eventually(comes_deeper)
    event = await workouts.nth(NEWEST).get_attribute("data-id")
    await scroller.evaluate("(one) => one.scrollTo(0, 0)")
    await stranger.graphql_surely(HIGH_FIVE, event=event)
    await page.evaluate("{ const now = performance.now.bind(performance); performance.now = () => now() + 61_000; }")
    await scroller.evaluate("(one) => one.scrollTo(0, one.scrollHeight / 3)")
    await page.locator(f"#community [data-id='{event}']").evaluate("(one) => one.scrollIntoView({ block: 'center' })")
    await expect(page.locator(f"#community [data-id='{event}'] .five")).to_contain_text("1")
    await scroller.evaluate("(one) => one.scrollTo(0, 0)")


async def is_told_how_many(page: Page, athletes: Athletes) -> None:
    """What pours is one row that opens; what is too much for the channel is one row whose figure counts on."""
    found = page.locator("#community")
    _, scroller, _ = feed(page, "community")
    skipped = found.locator(".skipped")
    await athletes.pour(POUR)
    await expect(skipped).to_be_visible()
    before = await skipped.inner_text()
    await athletes.pour(POUR)
    await expect(skipped).not_to_have_text(before)
    await expect(skipped).to_have_count(1)
    await expect(skipped).to_contain_text("workouts")
    widths = [await one.evaluate("(one) => one.clientWidth") for one in (skipped, scroller)]
    assert widths[0] == widths[1]

    await found.locator("li.pile").first.evaluate(
        "(one) => { one.id = 'opened'; one.querySelector('summary').click(); }"
    )
    await page.wait_for_function(OPENED, arg=PILE_KEPT, timeout=WAIT_MS, polling=50)  # some more may be on their way
    await skipped.get_by_role("button", name="Show the newest").click()
    await expect(skipped).to_be_hidden()
