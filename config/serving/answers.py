"""The JSON that is answered with, errors included: one shape for HTTP, GraphQL's own on its path."""

from typing import Any, Final

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from config.errors import ApiError
from config.serving.accept import form_of

GRAPHQL_PATH: Final = "/api/graphql"


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`value` as JSON. Answers of the API belong to whoever asked: no cache keeps them."""
    return Response(
        orjson.dumps(value),
        status,
        {"cache-control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def error_response(scope: Scope, error: ApiError) -> Response:
    """`error` in the shape of the path: `{"error": {...}}`, or GraphQL's `{"errors": [...]}` on /api/graphql."""
    shown = error_fields(error, scope["state"]["request_id"])
    body: dict[str, Any] = {"error": shown}
    if scope["path"] == GRAPHQL_PATH:
        body = {"errors": [{"message": error.message, "extensions": shown}]}
    headers = {} if error.retry_after_s is None else {"retry-after": str(error.retry_after_s)}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if scope["path"] == GRAPHQL_PATH:
        headers["content-type"] = form_of(Headers(scope=scope).get("accept")).media_type
    return json_response(body, error.status, headers)


def error_fields(error: ApiError, request_id: str) -> dict[str, Any]:
    """`code`, `message`, `statusCode`; `field` of a bad input; `requestId` of a fault of ours, as the log has it."""
    shown: dict[str, Any] = {"code": error.code, "message": error.message, "statusCode": error.status}
    if error.field:
        shown["field"] = error.field
    if error.status >= 500:
        shown["requestId"] = request_id
    return shown


def is_json(content_type: str | None) -> bool:
    """Whether a Content-Type says JSON. It is UTF-8 (RFC 8259, 8.1): another charset is another type; further
    parameters do not matter."""
    if content_type is None:
        return False
    essence, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = (value.strip('"') for name, _, value in (one.partition("=") for one in parameters) if name == "charset")
    return essence == "application/json" and all(one in ("utf-8", "utf8") for one in charsets)
