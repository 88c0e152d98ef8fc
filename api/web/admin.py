"""The page of operators at `/admin`: where it may be asked for, and what it may load.

It is at home under ADMIN_ORIGINS; where none is set, under this machine's loopback address, without a proxy between
(`ssh -L`). Elsewhere there is no such page, and no such API. Pages of other origins, those of ALLOWED_ORIGINS among
them, are refused.
"""

from functools import partial
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from config.addresses import host_name, is_loopback
from config.errors import Forbidden, NotFound
from config.serving.http import Policy
from config.settings import Settings

PATH: Final = "/admin"
_PAGE: Final = (Path(__file__).parent / "admin.html").read_text("utf-8")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def routes(settings: Settings) -> list[BaseRoute]:
    """The page."""

    async def admin(request: Request) -> Response:
        refuse_strangers(request, settings)
        return HTMLResponse(_PAGE, headers={"Cache-Control": "no-store"})

    return [Route(PATH, admin)]


def policies() -> dict[str, Policy]:
    """Own files only, and no HTML that is made of text."""
    return {PATH: partial(_always, _POLICY)}


def refuse_strangers(request: Request, settings: Settings) -> None:
    """Raises NotFound where the page is not at home, and Forbidden for a page of another origin."""
    host = request.headers.get("host", "")
    own = f"{request.scope['scheme']}://{host}"
    if settings.admin_origins:
        at_home = own in settings.admin_origins
    else:
        client = request.client
        forwarded = any(name in request.headers for name in ("x-forwarded-for", "x-forwarded-host", "forwarded", "via"))
        near = client is not None and is_loopback(client.host)
        at_home = near and not forwarded and is_loopback(host_name(host) or "")
    if not at_home:
        raise NotFound
    if request.headers.get("origin", own) != own or request.headers.get("sec-fetch-site", "none") not in _SAME:
        raise Forbidden("This origin may not ask this")


_SAME: Final = frozenset({"same-origin", "none"})  # `none`: typed in, or no browser


def _always(policy: str, _host: str, _proxied: bool) -> str:
    return policy
