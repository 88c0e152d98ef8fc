"""The HTTP side of other apps: what their backends publish and ask, by a server key."""

from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.apps.rules import key_of
from api.apps.service import OtherApps
from config.errors import UnsupportedMediaType
from config.serving.answers import is_json, json_response


def routes(apps: OtherApps) -> list[Route]:
    """All routes."""

    async def publish(request: Request) -> Response:
        if not is_json(request.headers.get("content-type")):
            raise UnsupportedMediaType("Content-Type must be application/json")
        results = await apps.publish(*_caller(request), await request.body(), datetime.now(UTC))
        return json_response({"results": msgspec.to_builtins(results)}, 202)

    async def presence(request: Request) -> Response:
        present = await apps.presence(*_caller(request), request.path_params["name"])
        return json_response(msgspec.to_builtins(present))

    async def history(request: Request) -> Response:
        name, place = request.path_params["name"], request.query_params.get("since")
        return json_response(await apps.history(*_caller(request), name, place))

    return [
        Route("/api/v1/apps/{namespace}/events", publish, methods=["POST"]),
        Route("/api/v1/apps/{namespace}/channels/{name}/presence", presence),
        Route("/api/v1/apps/{namespace}/channels/{name}/history", history),
    ]


def _caller(request: Request) -> tuple[str, bytes]:
    return request.path_params["namespace"], key_of(request.headers.get("authorization"))
