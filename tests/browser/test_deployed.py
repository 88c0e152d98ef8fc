"""The README's deployment, walked with Debian's own programs: the page is live behind both proxies, stays so through a
backup, a restore and a new version, and a step that is not walked here fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Playwright, async_playwright, expect

from tests.browser.test_page import DESKTOP, WAIT_MS, Visit
from tests.support.chromium import NAMES, launch
from tests.support.fronts import SITE
from tests.support.programs import needs
from tests.support.stores import ROOT
from tests.support.walk import Walk

pytestmark = pytest.mark.timeout(600)

ADDRESS = f"https://{SITE}"


@pytest.fixture
async def walk(tmp_path: Path, stores_folder: Path) -> AsyncIterator[Walk]:
    for program in ("nginx", "caddy", "pgbouncer", "redis-server", "openssl", "curl"):
        needs(program)
    needs(*NAMES)
    async with Walk((ROOT / "README.md").read_text("utf-8"), tmp_path, stores_folder) as walk:
        yield walk


@asynccontextmanager
async def visiting(playwright: Playwright, walk: Walk, proxy: str) -> AsyncIterator[Visit]:
    """A browser for which the site is behind this proxy, and its certificate good."""
    there = f"--host-resolver-rules=MAP {SITE} 127.0.0.1:{walk.fronts[proxy].port}"
    browser = await launch(playwright, there, "--ignore-certificate-errors")  # of the service worker's script, too
    try:
        context = await browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        one = Visit(await context.new_page())
        await one.page.goto(ADDRESS)
        yield one
    finally:
        await browser.close()


@pytest.mark.chaos
async def test_the_page_is_live_where_the_readme_was_followed(walk: Walk) -> None:
    """Seen failing without TRUSTED_PROXIES (the page looks for its gateway at a port that is not public, as it did with
    it before), without the list of users, with a key on another curve, and with a command that is not known here."""
    after = next(n for n, block in enumerate(walk.blocks) if "systemctl start musclemap-backup" in block)
    for block in walk.blocks[:after]:
        said = await walk.take(block)
    assert said.count('"ready":true') == 3, said  # the last of them looks
    assert said.count('{"status":"alive"}') == len(walk.fronts) == 2

    async with (
        async_playwright() as playwright,
        visiting(playwright, walk, "caddy") as watcher,
        visiting(playwright, walk, "nginx") as member,
    ):
        await watcher.joins_live()
        await member.joins_live()
        told = await watcher.page.evaluate("async () => (await fetch('/config.json')).json()")
        assert told["rtUrl"] == f"wss://{SITE}/ws"
        await member.signs_up("Grace Hopper", "grace@example.com")
        await member.logs("Barbell back squat")
        await watcher.community("Barbell back squat").are(1)
        await member.dashboard("Barbell back squat").are(1)
        assert watcher.complaints + member.complaints == []

        await walk.take(walk.blocks[after])
        await member.logs("Pull-up")
        await watcher.community("Pull-up").are(1)
        said = await walk.take(walk.blocks[after + 1])
        assert "restored, with a new epoch" in said
        # The watcher's place is of before: its page begins anew, without what the dump does not have.
        await watcher.community("Pull-up").are(0)
        await watcher.community("Barbell back squat").are(1)
        for block in walk.blocks[after + 2 :]:
            await walk.take(block)
        await expect(watcher.page.locator("#connection")).to_have_attribute("data-state", "open", timeout=WAIT_MS)
        await watcher.joins_live()
        await member.page.reload()
        await member.joins_live()
        await member.logs("Pull-up")
        await watcher.community("Pull-up").are(1)
