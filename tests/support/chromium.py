"""Chromium for tests: its shell without a window where that is installed, which draws and runs a page as Chromium does;
Chromium itself opens a hidden window, with processes of its own, for each context."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import Browser, Playwright, async_playwright

from tests.support.programs import needs

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# No sandbox as root; the rest keeps Chromium from asking for hosts of its own.
_ARGUMENTS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


async def launch(playwright: Playwright, *arguments: str) -> Browser:
    """A browser of one's own, with further arguments."""
    return await playwright.chromium.launch(executable_path=needs(*NAMES), args=[*_ARGUMENTS, *arguments])


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser that ends with the block."""
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        yield browser
        await browser.close()
