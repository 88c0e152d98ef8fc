"""The page at `/`, its assets under `/static`, and what it must know of this installation (`/config.json`).

Both are open to pages of other origins, which show widgets or have a client of their own: they say nothing of anybody.
"""

import os
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.web.compressed import Compressed
from config.addresses import host_name
from config.serving.http import Policy
from config.settings import Settings

FOLDER: Final = Path(__file__).parent / "static"

_FALLBACK_HOST: Final = "localhost"

# File names carry no version, so a browser asks each time and gets 304; what never changes may be kept for a day.
_REVALIDATE: Final = "no-cache"
_KEEP: Final = "public, max-age=86400"

OPEN: Final = {"Access-Control-Allow-Origin": "*"}  # the shell says more to pages of ours


def routes(settings: Settings, guests: Callable[[], Collection[str] | None], version: str) -> list[BaseRoute]:
    """Routes of the page, for the application to mount beside its own.

    `guests`: the origins of pages that may show a widget; None while they are not known. `version`: of the page, so
    that one that is open hears of a newer one.
    """
    files = Files(directory=FOLDER)

    async def index(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    async def configuration(request: Request) -> Response:
        asked = request.headers.get("host", "")
        url = gateway_url(settings, asked, proxied=request.state.proxied, secure=request.url.scheme == "https")
        origin = request.headers.get("origin")
        asks = {} if origin is None else {"mayConnect": may_connect(origin, settings.origins, guests())}
        return JSONResponse({"rtUrl": url, "version": version, **asks}, headers=OPEN | {"Cache-Control": "no-store"})

    return [
        Route("/", index),
        Route("/config.json", configuration),
        Mount("/static", files, name="static"),
    ]


def policies(settings: Settings) -> dict[str, Policy]:
    """The Content-Security-Policy of each path that is a page."""
    return {"/": lambda host, proxied: csp(settings, host, proxied=proxied)}


def may_connect(origin: str, ours: Collection[str], guests: Collection[str] | None) -> bool | None:
    """Whether the gateway lets in pages of this origin, some of them by a token; None: that is not known yet."""
    if origin in ours:
        return True
    return None if guests is None else origin in guests


def gateway_url(settings: Settings, host: str, *, proxied: bool, secure: bool) -> str:
    """The WebSocket address for a page that was asked for by this Host header.

    `proxied`: a trusted proxy has sent it, and serves the gateway at the same place.
    """
    if settings.rt_public_url:
        return settings.rt_public_url
    return f"{'wss' if secure else 'ws'}://{_authority(settings, host, proxied)}/ws"


def csp(settings: Settings, host: str, *, proxied: bool) -> str:
    """Content-Security-Policy of the page: own files only, and the gateway as the one other address."""
    if settings.rt_public_url:
        parts = urlsplit(settings.rt_public_url)
        gateway = f"{parts.scheme}://{parts.netloc}"
    else:
        authority = _authority(settings, host, proxied)
        # The grammar of a policy has no IPv6 address; only its scheme can be named.
        gateway = "ws: wss:" if authority.startswith("[") else f"ws://{authority} wss://{authority}"
    return (
        f"default-src 'self'; connect-src 'self' {gateway}; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def _authority(settings: Settings, host: str, proxied: bool) -> str:
    # The host comes from the request: whatever is no host must not reach a header or the page's configuration.
    name = host_name(host)
    if name is None:
        name, host = _FALLBACK_HOST, ""
    shown = f"[{name}]" if ":" in name else name
    if not proxied:
        return f"{shown}:{settings.rt_port}"
    port = re.search(r":(\d+)$", host)
    return f"{shown}:{int(port[1])}" if port else shown


class Files(StaticFiles):
    """Static files with ETag (Starlette's) and a stated time to keep them, for pages of any origin."""

    _compressed = Compressed()

    async def get_response(self, path: str, scope: Scope) -> Response:
        return await self._compressed.of(await super().get_response(path, scope), scope)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(OPEN)
        response.headers["Cache-Control"] = _KEEP if Path(full_path).parent.name == "vendor" else _REVALIDATE
        return response
