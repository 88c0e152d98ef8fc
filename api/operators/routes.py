"""The HTTP side of operators: JSON for the admin page, from its own origin alone."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.accounts.access import Authenticator
from api.operators.service import Operators
from api.web.admin import refuse_strangers
from config.errors import UnsupportedMediaType
from config.rates.gate import Gate
from config.serving.answers import is_json, json_response
from config.settings import Settings
from rt.auth.tokens import Access

_NO_STORE = {"cache-control": "no-store"}


def routes(operators: Operators, authenticate: Authenticator, gate: Gate, settings: Settings) -> list[Route]:
    """All routes."""

    async def caller(request: Request) -> Access | None:
        refuse_strangers(request, settings)
        access = authenticate(request.headers.get("authorization"))
        user = None if access is None else access.user
        await gate.request(request.scope["state"], user, "free" if access is None else access.tier)
        return access

    async def overview(request: Request) -> Response:
        return json_response(await operators.overview(await caller(request)), headers=_NO_STORE)

    async def why(request: Request) -> Response:
        access = await caller(request)
        if not is_json(request.headers.get("content-type")):
            raise UnsupportedMediaType("Content-Type must be application/json")
        found = await operators.why(access, await request.body())
        return json_response({"reasons": msgspec.to_builtins(found)}, headers=_NO_STORE)

    return [
        Route("/api/v1/admin/overview", overview),
        Route("/api/v1/admin/why", why, methods=["POST"]),
    ]
