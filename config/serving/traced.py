"""A span around each request, outermost of all; only where traces are on."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.tracing import traces


class Traced:
    """Continues the trace of whoever asks, by its `traceparent`; whether it is sampled is our decision."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if not traces.on or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        span = traces.begin("request", Headers(scope=scope).get("traceparent", ""))
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            with span.current():
                await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            span.end(
                name=f"{scope['method']} {route}",
                failed=status >= 500,
                **{"http.response.status_code": status},
            )
