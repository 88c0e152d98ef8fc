"""POST /api/graphql: reads the request, prepares the document, executes it, and answers in GraphQL's shape, always."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.graphql import limits, variables
from api.graphql.context import Context, Makers, Services
from api.graphql.documents import Documents, InvalidDocumentError, Root
from api.graphql.execution import Meter, too_many_bytes
from config import metrics
from config.db.database import Database
from config.errors import (
    AnswerTooLarge,
    ApiError,
    BadInput,
    MethodNotAllowed,
    Unauthenticated,
    UnsupportedMediaType,
)
from config.limits import (
    GRAPHQL_ANSWER_BYTES_MAX,
    GRAPHQL_ERROR_CHARS_MAX,
    GRAPHQL_ERRORS_MAX,
    VARIABLES_MAX,
    VARIABLES_SIGNED_IN_MAX,
)
from config.serving.answers import error_fields, error_response, is_json, json_response
from config.serving.http import unexpected
from rt.auth.tokens import Access

log = structlog.get_logger()

# Who asks, from the Authorization header; raises Unauthenticated for a token that is not good.
Authenticate = Callable[[str | None], Access | None]

_SECONDS: Final = {
    OperationType.QUERY: metrics.GRAPHQL_SECONDS.labels("query"),
    OperationType.MUTATION: metrics.GRAPHQL_SECONDS.labels("mutation"),
}


class _Body(msgspec.Struct):
    """GraphQL over HTTP, the request."""

    query: str
    variables: msgspec.Raw = msgspec.Raw(b"null")
    operationName: str | None = None  # noqa: N815 - the word on the wire


_decoder = msgspec.json.Decoder(_Body)


class GraphQLEndpoint:
    """The ASGI application of the path. Errors of fields are HTTP 200; a refused request has its own status."""

    def __init__(
        self, schema: GraphQLSchema, db: Database, makers: Makers, authenticate: Authenticate, *, introspection: bool
    ) -> None:
        self._schema = schema
        self._db = db
        self._makers = makers
        self._authenticate = authenticate
        self._documents = Documents(schema, introspection=introspection)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except InvalidDocumentError as invalid:
            response = json_response({"errors": [_refusal(error) for error in invalid.errors]}, 400)
        except ApiError as refusal:
            response = error_response(scope, refusal)
            if refusal.status == 405:
                response.headers["allow"] = "POST"
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            raise MethodNotAllowed("GraphQL is asked by POST")
        if not is_json(request.headers.get("content-type")):
            raise UnsupportedMediaType("Content-Type must be application/json")
        viewer = self._authenticate(request.headers.get("authorization"))
        body = _read(await request.body())
        tier = viewer.tier if viewer else "anonymous"
        prepared = self._documents.prepare(body.query, tier)
        operation = prepared.operation(body.operationName or None)
        metrics.GRAPHQL_COMPLEXITY.observe(prepared.cost)
        name = operation.name.value if operation.name else ""
        roots = prepared.signed_in[name]
        if viewer is None and roots:  # before anything is done for them
            return _respond(_please_sign_in(roots), request.state.request_id)
        values = variables.read(body.variables, VARIABLES_SIGNED_IN_MAX if viewer else VARIABLES_MAX)
        services = Services(self._makers, self._db.for_request(UUID(viewer.user) if viewer else None))
        started = time.perf_counter()
        meter = Meter(limits.fields_max(tier))
        try:
            result = await prepared.runs[name].run(Context(services, viewer, datetime.now(UTC)), values, meter)
        except AnswerTooLarge as refusal:
            result = _too_large(refusal)
        _SECONDS[operation.operation].observe(time.perf_counter() - started)
        response = _respond(result, request.state.request_id)
        if len(response.body) - meter.ready > GRAPHQL_ANSWER_BYTES_MAX:
            response = _respond(_too_large(too_many_bytes()), request.state.request_id)
        return response


def _respond(result: ExecutionResult, request_id: str) -> Response:
    if not result.errors:
        return json_response({"data": result.data})
    errors = result.errors[:GRAPHQL_ERRORS_MAX]
    # Without a path nothing was executed: the variables did not fit, so the request itself was refused.
    if result.data is None and all(error.path is None and not _is_ours(error) for error in errors):
        return json_response({"errors": [_refusal(error) for error in errors]}, 400)
    return json_response({"errors": [_field_error(error, request_id) for error in errors], "data": result.data})


def _is_ours(error: GraphQLError) -> bool:
    return isinstance(error.original_error, ApiError)


def _too_large(refusal: AnswerTooLarge) -> ExecutionResult:
    return ExecutionResult(None, [GraphQLError(refusal.message, original_error=refusal)])


def _please_sign_in(roots: tuple[Root, ...]) -> ExecutionResult:
    """What executing these fields for nobody comes to."""
    refusal = Unauthenticated()
    errors = [GraphQLError(refusal.message, root.node, path=[root.name], original_error=refusal) for root in roots]
    return ExecutionResult(
        {root.name: None for root in roots} if all(root.nullable for root in roots) else None, errors
    )


def _refusal(error: GraphQLError) -> dict[str, Any]:
    metrics.GRAPHQL_ERRORS.labels("BAD_INPUT").inc()
    message = _short(error.message)
    return {**error.formatted, "message": message, "extensions": error_fields(BadInput(message), "")}


def _short(message: str) -> str:
    """A message of the library repeats what the client wrote, at whatever length."""
    return message if len(message) <= GRAPHQL_ERROR_CHARS_MAX else message[: GRAPHQL_ERROR_CHARS_MAX - 1] + "…"


def _field_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """An error of a field. What nobody foresaw is logged whole and told as INTERNAL or RETRY_LATER."""
    cause = error.original_error
    shown = BadInput(_short(error.message)) if cause is None or isinstance(cause, GraphQLError) else unexpected(cause)
    if cause is not None and shown.status >= 500:
        log.error("graphql_field_failed", path=error.path, code=shown.code, exc_info=cause)
    metrics.GRAPHQL_ERRORS.labels(shown.code).inc()
    return {**error.formatted, "message": shown.message, "extensions": error_fields(shown, request_id)}


def _read(raw: bytes) -> _Body:
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise BadInput(f"The request is not GraphQL's: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput("The body is not JSON") from None
