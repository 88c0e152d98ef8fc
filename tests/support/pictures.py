"""The README's pictures of a product that runs: `python -m tests.support.pictures http://127.0.0.1:8000 EMAIL PASSWORD`
writes desktop and phone in both schemes to api/web/docs/pictures, the phone's signed in. Look at them."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from playwright.async_api import Page, expect

from api import web
from tests.support.axe import SCHEMES
from tests.support.chromium import launched

FOLDER: Final = Path(web.__file__).parent / "docs" / "pictures"
SIZES: Final = {"desktop": (1440, 900, 1), "phone": (390, 844, 2)}
LIVE_MS: Final = 30_000
SETTLE_S: Final = 6.0  # for what happens to be seen happening


async def take(url: str, email: str, password: str) -> None:
    """One window of each size and scheme, after another."""
    FOLDER.mkdir(exist_ok=True)
    async with launched() as browser:
        for name, (width, height, scale) in SIZES.items():
            for scheme in SCHEMES:
                context = await browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=scale
                )
                page = await context.new_page()
                await page.goto(url)
                await expect(page.locator("#community")).to_have_attribute("data-state", "live", timeout=LIVE_MS)
                if name == "phone":
                    await _sign_in(page, email, password)
                await asyncio.sleep(SETTLE_S)
                await page.screenshot(path=FOLDER / f"{name}-{scheme}.png")
                await context.close()


async def _sign_in(page: Page, email: str, password: str) -> None:
    await page.get_by_role("button", name="Sign in").first.click()
    form = page.locator("#credentials")
    await form.get_by_label("E-mail").fill(email)
    await form.get_by_label("Password").fill(password)
    await form.get_by_role("button", name="Sign in").first.click()
    await expect(page.locator("#dashboard")).to_have_attribute("data-state", "live", timeout=LIVE_MS)
    await page.locator(".community").evaluate("(card) => card.scrollIntoView()")


if __name__ == "__main__":
    asyncio.run(take(*sys.argv[1:]))
