"""What operators and balancers ask of a role that serves HTTP: alive, ready with reasons, metrics."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from config import metrics
from config.serving.answers import json_response


def routes(
    look: Callable[[], Awaitable[tuple[int, dict[str, Any]]]],
    figures: Callable[[], tuple[bytes, str]] = metrics.exposition,
) -> list[Route]:
    """/health, /ready and /metrics. `look` gives the status and the body of /ready (config/ready.py), `figures` the
    body of /metrics and its content type."""

    async def health(_: Request) -> Response:
        return json_response({"status": "alive"})

    async def ready(_: Request) -> Response:
        status, shown = await look()
        return json_response(shown, status)

    async def exposition(_: Request) -> Response:
        body, content_type = figures()
        return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})

    return [Route("/health", health), Route("/ready", ready), Route("/metrics", exposition)]
