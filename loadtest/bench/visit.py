"""The page in Chromium: how long a visitor waits until it paints, and until connection and feed are live.

`first` with nothing kept, each time in a context of its own; `again` by the same people, with files and worker in their
browser. Milliseconds from the click on, by the page's own clock: the median and the longest of VISITS, over loopback,
so that a network comes on top.
"""

import contextlib
import shutil
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from playwright.async_api import Page, async_playwright

from config.embedded.ports import HOST
from loadtest.bench.presence_map import ARGUMENTS, BROWSERS
from loadtest.bench.whole import start

VISITS: Final = 10
WINDOW: Final = {"width": 1440, "height": 900}
LIVE_MAX_MS: Final = 60_000
_LIVE: Final = """() => new Promise((done) => {
  const at = {};
  const look = () => {
    if (document.querySelector("#connection")?.dataset.state === "open") at.connected ??= performance.now();
    if (document.querySelector("#community")?.dataset.state === "live") at.live ??= performance.now();
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    if (at.connected && at.live && paint) done({ paint: paint.startTime, ...at });
    else setTimeout(look, 2);
  };
  look();
})"""
# Until the worker keeps the page, which the next visit is to find.
_KEPT: Final = "async () => void (await navigator.serviceWorker.ready)"


async def run(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Both rows; or one that says that there is no Chromium."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        return [{"visit": "first", "failed": "Chromium is not installed"}]
    async with contextlib.AsyncExitStack() as stack:
        ports, _ = await start(stack, environment)
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        first, again = [], []
        for _ in range(VISITS + 1):
            context = await browser.new_context(viewport=WINDOW)  # type: ignore[arg-type]
            page = await context.new_page()
            page.set_default_timeout(LIVE_MAX_MS)
            url = f"http://{HOST}:{ports['api']}/"
            first.append(await _visit(page, url))
            await page.evaluate(_KEPT)
            again.append(await _visit(page, url))
            await context.close()
        await browser.close()
    # What browser and servers do for the first time is theirs.
    return [_row("first", first[1:]), _row("again", again[1:])]


async def _visit(page: Page, url: str) -> dict[str, float]:
    await page.goto(url, wait_until="commit")
    found: dict[str, float] = await page.evaluate(_LIVE)
    return found


def _row(visit: str, found: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"visit": visit, "visits": len(found)}
    for name in ("paint", "connected", "live"):
        times = [one[name] for one in found]
        row |= {f"{name}_ms": round(statistics.median(times)), f"{name}_max_ms": round(max(times))}
    return row
