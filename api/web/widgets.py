"""Widgets for pages of other sites: `/widgets.js` is all of them, `/widgets/` has each alone, and the client;
`/widgets` is a gallery of them, with the lines to copy.

What is served lies in `built/` and, of the client, in `npm/`: `make widgets` makes it of `widgets/` and `static/`.
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
CLIENT: Final = Path(__file__).parent / "npm"
GALLERY: Final = "/widgets"


def routes() -> list[BaseRoute]:
    """The gallery and the files."""
    files, clients, pages = Files(directory=BUILT), Files(directory=CLIENT), Files(directory=FOLDER)

    async def all_in_one(request: Request) -> Response:
        return await files.get_response("widgets.js", request.scope)

    async def client(request: Request) -> Response:
        return await clients.get_response("client.js", request.scope)

    async def gallery(request: Request) -> Response:
        return await pages.get_response("gallery.html", request.scope)

    return [
        Route("/widgets.js", all_in_one),
        Route(GALLERY, gallery),
        Route(f"{GALLERY}/client.js", client),
        Mount(GALLERY, files),
    ]


def policies(settings: Settings) -> dict[str, Policy]:
    """The gallery is a page as `/` is."""
    return {GALLERY: lambda host, proxied: csp(settings, host, proxied=proxied)}
