"""The page where addresses are proven, in real Chromium: a sign-up and a forgotten password by the links of mails."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, expect

from tests.browser.test_page import Visit, _start, browser, chromium, visit  # noqa: F401 - the fixtures
from tests.support.mails import Mailbox, link_in, mailbox
from tests.support.processes import Fleet
from tests.support.stores import TestStores, environment

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

NAME, EMAIL = "Grace Hopper", "grace@example.com"
PASSWORD, OTHER = "correct horse battery", "another horse battery"


@dataclass
class Mailing:
    """A running product whose mails come here."""

    fleet: Fleet
    box: Mailbox

    async def link(self, count: int) -> str:
        """Of the newest of so many mails."""
        return link_in((await asyncio.to_thread(self.box.to, EMAIL, count))[-1])[0]


@pytest.fixture
def mailing(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailing]:
    database, folder = stores.make_database(), tmp_path_factory.mktemp("mailing")
    urls = environment(**database.urls, REDIS_URL=stores.redis_url)
    with mailbox(folder) as box:
        fleet = Fleet(urls | box.settings(""), folder)
        try:
            asyncio.run(_start(fleet))
            yield Mailing(fleet, box)
        finally:
            fleet.clean_up()
            stores.drop_database(database)


async def test_an_address_is_proven_and_a_password_forgotten(
    browser: Browser,  # noqa: F811
    mailing: Mailing,
) -> None:
    """Planted once and seen to fail: a link whose token stays in the address of the page."""
    one = await visit(browser, mailing.fleet)
    form = one.page.locator("#credentials")
    await one.page.get_by_role("button", name="Create an account").first.click()
    await form.get_by_label("Name").fill(NAME)
    await form.get_by_label("E-mail").fill(EMAIL)
    await form.get_by_label("Password").fill(PASSWORD)
    await form.get_by_role("button", name="Create an account").click()
    await expect(form.get_by_role("status")).to_contain_text("Look into your mail")

    link = await mailing.link(1)
    assert link.startswith(mailing.fleet.api.http("/#verify="))
    other = await visit(browser, mailing.fleet, link=link)
    form = other.page.locator("#credentials")
    await expect(form.get_by_role("status")).to_contain_text("Your address is confirmed")
    assert other.page.url == mailing.fleet.api.http("/")
    await signs_in(other, PASSWORD)

    await one.page.keyboard.press("Escape")
    await one.page.get_by_role("button", name="Sign in").first.click()
    form = one.page.locator("#credentials")
    await form.get_by_role("button", name="Forgot your password?").click()
    await expect(form.get_by_label("Password")).to_be_hidden()
    await form.get_by_label("E-mail").fill(EMAIL)
    await form.get_by_role("button", name="Send me a link").click()
    await expect(form.get_by_role("status")).to_contain_text("a link is on its way")

    again = await visit(browser, mailing.fleet, link=await mailing.link(2))
    form = again.page.locator("#credentials")
    await expect(form.get_by_label("E-mail")).to_be_hidden()
    await form.get_by_label("Password").fill(OTHER)
    await form.get_by_role("button", name="Set the password").click()
    await expect(form.get_by_role("status")).to_contain_text("Your password is changed")
    await expect(other.page.locator("#welcome")).to_be_visible()  # signed out there
    await signs_in(again, OTHER)

    used = await visit(browser, mailing.fleet, link=link)
    await expect(used.page.locator("#credentials").get_by_role("alert")).to_contain_text("not good any more")
    assert one.complaints + again.complaints == []


async def signs_in(one: Visit, password: str) -> None:
    form = one.page.locator("#credentials")
    await form.get_by_label("E-mail").fill(EMAIL)
    await form.get_by_label("Password").fill(password)
    await form.get_by_role("button", name="Sign in").click()
    await expect(one.page.locator("#who")).to_have_text(NAME)
