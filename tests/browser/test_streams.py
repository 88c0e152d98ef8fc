"""EventSource of real Chromium behind both proxies as shipped: through kills and a restart of the gateway it hears
every event once."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from api import web
from config.embedded.ports import free_port
from rt.wire.channels import app_channel
from tests.support.chromium import launch
from tests.support.fronts import FRONTS, SITE, Front, front
from tests.support.gateway import Gateway, gateway, until
from tests.support.sse import PATH, at, kill_oldest

pytestmark = pytest.mark.timeout(180)

FOLLOW = Path(web.__file__).parent / "docs" / "programs" / "follow.js"
SETTINGS = {
    "ALLOWED_ORIGINS": f"https://{SITE}", "TRUSTED_PROXIES": "127.0.0.1,::1", "RT_PROCESSES": "2", "RT_DRAIN_S": "0.2",
}  # fmt: skip
PLAIN = """(path) => {
  globalThis.heard = [];
  globalThis.ends = 0;
  const source = new EventSource(path);
  source.onerror = () => { globalThis.ends += 1; };
  for (const kind of ["event", "gap", "digest"]) {
    source.addEventListener(kind, (one) => globalThis.heard.push([kind, JSON.parse(one.data).offset, one.lastEventId]));
  }
  return new Promise((resolve) => { source.onopen = () => resolve(true); });
}"""
FOLLOWING = """async ([path, text, since]) => {
  const { follow } = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  globalThis.heard = [];
  follow(new URL(path, location.href), {
    onEvent: (event, id) => globalThis.heard.push(["event", Number(event.id.slice(1)), id]),
    onGap: () => globalThis.heard.push(["gap", 0, ""]),
    since,
  });
}"""


@pytest.fixture
async def gate(redis_url: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(redis_url, tmp_path, **SETTINGS) as made:
        yield made


@pytest.fixture
def proxies(gate: Gateway, tmp_path: Path) -> Iterator[list[Front]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(front(name, tmp_path, api_port=free_port(), rt_port=gate.fleet.rt.port))
            for name in FRONTS
        ]


@asynccontextmanager
async def pages(proxies: list[Front]) -> AsyncIterator[list[Page]]:
    """One of the site behind each proxy; which page it is does not matter."""
    async with async_playwright() as playwright:
        browsers = []
        made = []
        for proxy in proxies:
            there = f"--host-resolver-rules=MAP {SITE} 127.0.0.1"
            browser = await launch(playwright, there)
            browsers.append(browser)
            context = await browser.new_context(ignore_https_errors=True)
            page = await context.new_page()
            await page.goto(f"https://{SITE}:{proxy.port}/nothing")
            made.append(page)
        yield made
        for browser in browsers:
            await browser.close()


async def heard(page: Page) -> list[Any]:
    found: list[Any] = await page.evaluate("globalThis.heard")
    return found


@pytest.mark.chaos
async def test_it_comes_back_by_itself_and_misses_nothing(gate: Gateway, proxies: list[Front]) -> None:
    """The browser's own EventSource through two kills, and the program of the documentation through a restart, which
    proxies answer by 503. Seen failing with `id` left out of the blocks, and with an EventSource alone (it gave up)."""
    channel = app_channel("open", "browser")
    await gate.feeds.make(channel)
    path, last = f"{PATH}?channel={channel.wire}", 0

    async def publish(count: int) -> None:
        nonlocal last
        for _ in range(count):
            await gate.feeds.publish(channel)
            last += 1

    async def all_hear(everybody: list[Page], first: int) -> None:
        async def whole() -> bool:
            found = [await heard(page) for page in everybody]
            return all(one and one[-1][1] == last for one in found)

        await until(whole, 40)
        for page in everybody:
            found = await heard(page)
            assert [(kind, offset) for kind, offset, _ in found] == [("event", n) for n in range(first, last + 1)]
            assert all(place.endswith(f":{offset}") for _, offset, place in found)

    async with pages(proxies) as everybody:
        for page in everybody:
            assert await page.evaluate(PLAIN, path)
        for _ in range(2):
            await publish(5)
            await kill_oldest(gate)
            await publish(5)
        await all_hear(everybody, 1)
        assert all([await page.evaluate("globalThis.ends") > 0 for page in everybody])

        first, statuses = last + 1, list[int]()
        for page in everybody:
            await page.reload()
            page.on("response", lambda response: statuses.append(response.status))
            await page.evaluate(FOLLOWING, [path, FOLLOW.read_text("utf-8"), at(last)])
        await publish(3)
        await all_hear(everybody, first)
        await gate.fleet.rt.stop()
        await publish(5)
        await until(lambda: 503 in statuses, 20)
        await gate.fleet.rt.start()
        await publish(5)
        await all_hear(everybody, first)
