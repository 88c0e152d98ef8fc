"""A nutrition diary: meals are logged over HTTP, and every device of a person sees them and the day's totals.

A channel is one person's alone: the backend gives its owner a token for it.
"""

from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.app_server import Backend

NUTRIENTS = ("kcal", "protein_g")


class Diary:
    """Meals by person and date. A meal has an id of the device that logged it: sent again, it is one."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._meals: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        self.app = Starlette(
            routes=[
                Route("/sign-in", self.sign_in, methods=["POST"]),
                Route("/meals", self.log, methods=["POST"]),
                Route("/days/{person}/{date}", self.day),
            ]
        )

    async def sign_in(self, request: Request) -> JSONResponse:
        """Tokens for the live server: who it is, and what they may read."""
        person = orjson.loads(await request.body())["person"]
        name = f"diary-{person}"
        return JSONResponse(
            {
                "token": self._backend.token(person),
                "channel": f"app:{self._backend.namespace}:{name}",
                "channelToken": self._backend.channel_token(person, name),
            }
        )

    async def log(self, request: Request) -> JSONResponse:
        """Keeps the meal and publishes it with the day's totals; a repeat publishes nothing new."""
        meal: dict[str, Any] = orjson.loads(await request.body())
        person, date = meal["person"], meal["date"]
        self._meals.setdefault((person, date), {}).setdefault(meal["id"], meal)
        told = {"date": date, "meal": meal["name"], "totals": self.totals(person, date)}
        event = {"channel": f"diary-{person}", "id": f"{person}-{meal['id']}", "type": "meal_logged", "data": told}
        (result,) = await self._backend.publish(event)
        return JSONResponse({"totals": told["totals"], "existing": result["existing"]}, 201)

    async def day(self, request: Request) -> JSONResponse:
        """What the day comes to."""
        return JSONResponse(self.totals(request.path_params["person"], request.path_params["date"]))

    def totals(self, person: str, date: str) -> dict[str, float]:
        """Of all meals of the day."""
        meals = self._meals.get((person, date), {}).values()
        return {name: sum(meal[name] for meal in meals) for name in NUTRIENTS}
