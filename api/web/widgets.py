"""Widgets for pages of other sites: `/widgets.js` is all of them, `/widgets/` has each alone, and the client;
`/widgets` is a gallery of them, with the lines to copy.

What is served are the files of `built/`, which `make widgets` makes of `widgets/` and `static/`.
"""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from api.web.page import FOLDER, Files, csp
from config.serving.http import Policy
from config.settings import Settings

BUILT: Final = Path(__file__).parent / "built"
GALLERY: Final = "/widgets"


def routes() -> list[BaseRoute]:
    """The gallery and the files."""
    files, pages = Files(directory=BUILT), Files(directory=FOLDER)

    async def all_in_one(request: Request) -> Response:
        return await files.get_response("widgets.js", request.scope)

    async def gallery(request: Request) -> Response:
        return await pages.get_response("gallery.html", request.scope)

    return [Route("/widgets.js", all_in_one), Route(GALLERY, gallery), Mount(GALLERY, files)]


def policies(settings: Settings) -> dict[str, Policy]:
    """The gallery is a page as `/` is."""
    return {GALLERY: lambda host, proxied: csp(settings, host, proxied=proxied)}
