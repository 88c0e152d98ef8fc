"""axe-core of npm over a page: what it finds in the scheme and at the width that the page has now."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from playwright.async_api import Page

SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
_RUN: Final = """async () => {
  const { violations, passes } = await axe.run({ resultTypes: ["violations", "passes"] });
  const told = violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.flat().join(" ")}`));
  const contrasts = passes.find(({ id }) => id === "color-contrast");
  return [told, contrasts ? contrasts.nodes.length : 0];
}"""


async def violations(page: Page, modules: Path, widths: Iterable[int]) -> list[str]:
    """What axe-core finds in both schemes at each width, and where the page is wider than its window.

    `modules`: the folder of npm's packages. Fails where it could judge no contrast at all.
    """
    await page.evaluate((modules / "axe-core" / "axe.min.js").read_text("utf-8"))
    found = []
    for width in widths:
        await page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            told, contrasts = await page.evaluate(_RUN)
            assert contrasts > 0
            found += [f"{scheme}, {width} px: {one}" for one in told]
        widest = await page.evaluate("document.documentElement.scrollWidth")
        found += [f"{width} px: {widest} px wide"] if widest > width else []
    return found
