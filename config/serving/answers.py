"""The JSON that is answered with, errors included: one shape for HTTP, GraphQL's own on its path."""

from typing import Any, Final

import orjson
from starlette.responses import Response
from starlette.types import Scope

from config.errors import ApiError

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
    """Whether a Content-Type says JSON; its parameters do not matter."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == "application/json"
