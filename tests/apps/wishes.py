"""A shared wish list: a wish is taken by one person, and all who look at the list see it at once, and who else looks.

Every user of the app may read every list.
"""

from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.app_server import Backend


class Wishes:
    """One list: wishes by name, and who has taken each."""

    def __init__(self, backend: Backend, name: str, wishes: tuple[str, ...]) -> None:
        self._backend = backend
        self._name = name
        self._taken: dict[str, str | None] = dict.fromkeys(wishes)
        self.app = Starlette(
            routes=[
                Route("/sign-in", self.sign_in, methods=["POST"]),
                Route("/list", self.show),
                Route("/taken", self.take, methods=["POST"]),
                Route("/looking", self.looking),
            ]
        )

    async def sign_in(self, request: Request) -> JSONResponse:
        """A token for the live server."""
        return JSONResponse({"token": self._backend.token(orjson.loads(await request.body())["person"])})

    async def show(self, _: Request) -> JSONResponse:
        """The list as it is."""
        return JSONResponse({"channel": f"app:{self._backend.namespace}:{self._name}", "wishes": self._taken})

    async def take(self, request: Request) -> JSONResponse:
        """The first who asks has it."""
        said: dict[str, Any] = orjson.loads(await request.body())
        if self._taken.get(said["wish"], "") is not None:
            return JSONResponse({"error": "taken, or no wish"}, 409)
        self._taken[said["wish"]] = said["person"]
        told = {"wish": said["wish"], "by": said["person"]}
        await self._backend.publish({"channel": self._name, "id": said["wish"], "type": "wish_taken", "data": told})
        return JSONResponse(told, 201)

    async def looking(self, _: Request) -> JSONResponse:
        """Who looks at the list now, by the live server's word."""
        return JSONResponse(await self._backend.get(self._name, "presence"))
