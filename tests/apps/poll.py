"""A live poll: whoever has the link votes over HTTP and sees every vote as it comes. Its channels are open to anybody.

The backend counts; each vote is published with the totals behind it, so a client shows the last one that it heard.
"""

from collections import Counter
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.app_server import Backend


class Poll:
    """One poll, and its votes by voter: who votes again changes their mind."""

    def __init__(self, backend: Backend, name: str, choices: tuple[str, ...]) -> None:
        self._backend = backend
        self._name = name
        self._choices = choices
        self._votes: dict[str, str] = {}
        self._number = 0
        self.app = Starlette(
            routes=[Route("/poll", self.show), Route("/votes", self.vote, methods=["POST"])],
        )

    @property
    def totals(self) -> dict[str, int]:
        counted = Counter(self._votes.values())
        return {choice: counted[choice] for choice in self._choices}

    async def show(self, _: Request) -> JSONResponse:
        """The channel and the totals."""
        return JSONResponse({"channel": f"app:{self._backend.namespace}:{self._name}", "totals": self.totals})

    async def vote(self, request: Request) -> JSONResponse:
        """Counts, then tells everybody."""
        said: dict[str, Any] = orjson.loads(await request.body())
        if said.get("choice") not in self._choices or not said.get("voter"):
            return JSONResponse({"error": "no such choice"}, 400)
        self._votes[said["voter"]] = said["choice"]
        self._number += 1
        told = {"choice": said["choice"], "totals": self.totals}
        event = {"channel": self._name, "id": f"{self._name}-{self._number}", "type": "vote", "data": told}
        await self._backend.publish(event)
        return JSONResponse({"totals": told["totals"]}, 201)
