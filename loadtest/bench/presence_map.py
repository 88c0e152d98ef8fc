"""The presence map of the page in Chromium without a GPU, dragged over 5,000 hexagons, beside other ways to paint them.

`frames_per_s` are those of the whole browser on this machine (60 are the most), `ms_a_frame` and the next two the time
of JavaScript in one, `paints` how often all of it was painted, `cpu_ms_a_frame` what the kernel charged the whole
browser. The others paint the same hexagons anew for each frame, and neither land nor cities.
"""

import mimetypes
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import h3
from playwright.async_api import Page, Route, async_playwright

from api import web
from loadtest.bench import host, report

CELLS: Final = 5_000
FRAMES: Final = {"live": 720, "anew": 120}
WINDOW: Final = {"width": 1280, "height": 800}
CENTRE: Final = (50.0, 10.0)
RINGS: Final = 41  # 1 + 3 n (n + 1) cells
COUNTS: Final = (5, 10, 20, 50, 200, 1_000)
PAGE_MAX_MS: Final = 120_000
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
COMPARED: Final = {"cpu_ms_a_frame": "cpu, ours/its"}

_STATIC: Final = Path(web.__file__).parent / "static"
_SCRIPT: Final = Path(__file__).with_name("hexagons.mjs")
_ORIGIN: Final = "http://localhost"
# So that the page's clock counts in microseconds.
_ALONE: Final = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
# What: the function of hexagons.mjs, and what else it is told.
WAYS: Final = {
    "the page's map": ("live", ""),
    "one fill a hexagon, each frame": ("anew", "false"),
    "one path a colour, each frame": ("anew", "true"),
}


async def run(_environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row a way, ours first; or one that says that there is no Chromium."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        return [{"what": "the page's map", "failed": "Chromium is not installed"}]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        page = await browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]
        page.set_default_timeout(PAGE_MAX_MS)
        await page.route("**/*", _serve)
        rows = [await _row(page, what) for what in WAYS]
        await browser.close()
    return report.beside(rows, COMPARED)


def _cells() -> list[tuple[str, int]]:
    """Around one place, the busiest in the middle."""
    around = list(h3.grid_disk(h3.latlng_to_cell(*CENTRE, 4), RINGS))[:CELLS]
    return [(cell, COUNTS[-1 - n * len(COUNTS) // CELLS]) for n, cell in enumerate(around)]


async def _row(page: Page, what: str) -> dict[str, Any]:
    name, told = WAYS[what]
    frames = FRAMES[name]
    await page.goto(_ORIGIN)
    pan = await page.evaluate_handle(
        f"async (cells) => (await import('/hexagons.mjs')).{name}(cells, {told})", _cells()
    )
    before = host.cpu_s(os.getpid())
    found = await pan.evaluate("(pan, frames) => pan(frames)", frames)
    cpu_s = host.cpu_s(os.getpid()) - before
    figures = {name: round(value, 2) for name, value in found.items()}
    return {"what": what, "hexagons": CELLS, **figures, "cpu_ms_a_frame": round(cpu_s / frames * 1e3, 2)}


async def _serve(route: Route) -> None:
    """The product's static files, as they are, and the script of this benchmark."""
    name = route.request.url.removeprefix(_ORIGIN).lstrip("/")
    path = _SCRIPT if name == _SCRIPT.name else _STATIC / name
    if not name:
        await route.fulfill(body="<!doctype html><body style='margin: 0'>", content_type="text/html", headers=_ALONE)
    elif path.is_file():
        kind = "text/javascript" if path.suffix in (".js", ".mjs") else mimetypes.guess_type(name)[0]
        await route.fulfill(body=path.read_bytes(), content_type=kind, headers=_ALONE)
    else:
        await route.fulfill(status=404)
