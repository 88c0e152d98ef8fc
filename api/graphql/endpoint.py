"""/api/graphql: reads a request, prepares and counts what it asks for, executes it, answers in GraphQL's shape, always.

A batch is one request: each of its operations counts for the rate limits, and what one operation may have (cost,
aliases, values, fields and bytes of its answer, one statement at a time) they have together.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import CoroutineType
from typing import Any, Final, NamedTuple, TypeGuard
from uuid import UUID

import orjson
import structlog
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType, execute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.graphql import limits, requests, variables
from api.graphql.context import Context, Makers, Services
from api.graphql.documents import Documents, InvalidDocumentError, Prepared, Root
from api.graphql.execution import Meter, MeteredExecutor, too_many_bytes
from api.graphql.requests import Asked, Operation
from config import metrics
from config.db.database import Database
from config.errors import (
    AnswerTooLarge,
    ApiError,
    BadInput,
    MethodNotAllowed,
    RateLimited,
    Unauthenticated,
)
from config.limits import (
    GRAPHQL_ANSWER_BYTES_MAX,
    GRAPHQL_ERROR_CHARS_MAX,
    GRAPHQL_ERRORS_MAX,
    VARIABLES_MAX,
    VARIABLES_SIGNED_IN_MAX,
)
from config.rates.gate import Gate
from config.serving.accept import Form, form_of
from config.serving.answers import error_fields, error_response
from config.serving.http import unexpected
from rt.auth.tokens import Access

log = structlog.get_logger()

# Who asks, from the Authorization header; raises Unauthenticated for a token that is not good.
Authenticate = Callable[[str | None], Access | None]

_SECONDS: Final = {
    OperationType.QUERY: metrics.GRAPHQL_SECONDS.labels("query"),
    OperationType.MUTATION: metrics.GRAPHQL_SECONDS.labels("mutation"),
}


class _Ready(NamedTuple):
    """An operation that may be executed."""

    asked: Operation
    prepared: Prepared
    node: OperationDefinitionNode

    @property
    def name(self) -> str:
        return self.node.name.value if self.node.name else ""


class _Shown(NamedTuple):
    """The answer of an operation in JSON; `refused`: it was not executed."""

    json: bytes
    refused: bool = False


class _Together:
    """What the operations of one request have in common, and what is left for the next of them."""

    def __init__(self, viewer: Access | None, db: Database, meter: Meter, request_id: str) -> None:
        self.viewer = viewer
        self.db = db
        self.meter = meter
        self.request_id = request_id
        self.values_left = VARIABLES_SIGNED_IN_MAX if viewer else VARIABLES_MAX
        self.bytes = 0  # of the answers so far


class GraphQLEndpoint:
    """The ASGI application of the path. Errors of fields are HTTP 200; a refused request has its own status."""

    def __init__(
        self,
        schema: GraphQLSchema,
        db: Database,
        makers: Makers,
        authenticate: Authenticate,
        gate: Gate,
        *,
        introspection: bool,
    ) -> None:
        self._schema = schema
        self._db = db
        self._makers = makers
        self._authenticate = authenticate
        self._gate = gate
        self._documents = Documents(schema, introspection=introspection)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request, form_of(request.headers.get("accept")))
        except ApiError as refusal:
            response = error_response(scope, refusal)
            if refusal.status == 405:
                response.headers["allow"] = "POST" if request.method == "GET" else "GET, POST"
        await response(scope, receive, send)

    async def _answer(self, request: Request, form: Form) -> Response:
        viewer, asked = await self._read(request)
        user, tier = (viewer.user, viewer.tier) if viewer else (None, "anonymous")
        found = [await self._prepared(operation, tier, asked) for operation in asked.operations]
        ready = [one for one in found if isinstance(one, _Ready)]
        mutations = sum(one.prepared.mutations[one.name] for one in ready)
        await self._gate.request(request.scope["state"], user, tier, operations=len(found), mutations=mutations)
        if asked.by_get and mutations:
            raise MethodNotAllowed("By GET only queries are executed")
        if asked.batch:
            limits.check_batch([one.prepared.measure for one in ready], tier)
        db = self._db.for_request(UUID(user) if user else None)
        together = _Together(viewer, db, Meter(limits.fields_max(tier)), request.state.request_id)
        shown = [await self._run(one, together) for one in found]
        if asked.batch:
            return _response(b"[" + b",".join(one.json for one in shown) + b"]", 200, form)
        return _response(shown[0].json, form.refused if shown[0].refused else 200, form)

    async def _read(self, request: Request) -> tuple[Access | None, Asked]:
        """Who asks for what. What is refused here counts as well, for the user or for the address."""
        state = request.scope["state"]
        viewer: Access | None = None
        try:
            viewer = self._authenticate(request.headers.get("authorization"))
            self._gate.known(state, *((viewer.user, viewer.tier) if viewer else ()))
            return viewer, await requests.read(request)
        except RateLimited:
            raise
        except ApiError:
            await self._gate.request(state, *((viewer.user, viewer.tier) if viewer else ()))
            raise

    async def _prepared(self, asked: Operation, tier: str, of: Asked) -> _Ready | BadInput | InvalidDocumentError:
        if of.batch:
            await asyncio.sleep(0)  # each of them may take the loop as long as a request of its own
        try:
            prepared = self._documents.prepare(asked.query, tier)
            return _Ready(asked, prepared, prepared.operation(asked.operationName or None))
        except (BadInput, InvalidDocumentError) as refusal:
            return refusal

    async def _run(self, one: _Ready | BadInput | InvalidDocumentError, together: _Together) -> _Shown:
        if isinstance(one, InvalidDocumentError):
            return _Shown(orjson.dumps({"errors": [_refusal(error) for error in one.errors]}), refused=True)
        if isinstance(one, BadInput):
            return _refused(one)
        roots, viewer, meter = one.prepared.signed_in[one.name], together.viewer, together.meter
        metrics.GRAPHQL_COMPLEXITY.observe(one.prepared.cost)
        if viewer is None and roots:  # before anything is done for them
            return _respond(_please_sign_in(roots), together.request_id)
        try:
            values, count = variables.read(one.asked.variables, together.values_left)
        except BadInput as refusal:
            return _refused(refusal)
        together.values_left -= count
        context = Context(Services(self._makers, together.db), viewer, datetime.now(UTC))
        started = time.perf_counter()
        try:
            result = await self._execute(one.prepared, one.asked, values, context, meter)
        except AnswerTooLarge as refusal:
            result = _too_large(refusal)
        _SECONDS[one.node.operation].observe(time.perf_counter() - started)
        shown = _respond(result, together.request_id)
        together.bytes += len(shown.json)
        if together.bytes - meter.ready > GRAPHQL_ANSWER_BYTES_MAX:
            shown = _respond(_too_large(too_many_bytes()), together.request_id)
        return shown

    async def _execute(
        self, prepared: Prepared, asked: Operation, values: dict[str, Any] | None, context: Context, meter: Meter
    ) -> ExecutionResult:
        result = execute(
            self._schema,
            prepared.document,
            context_value=context,
            variable_values=values,
            operation_name=asked.operationName or None,
            max_coercion_errors=GRAPHQL_ERRORS_MAX,
            executor_class=MeteredExecutor,
            hide_suggestions=True,
            is_awaitable=_is_awaitable,
            meter=meter,
        )
        return result if isinstance(result, ExecutionResult) else await result


def _is_awaitable(value: object) -> TypeGuard[Awaitable[Any]]:
    # Resolvers and the executor make coroutines and no other awaitable: asking for just those saves a tenth.
    return type(value) is CoroutineType


def _response(json: bytes, status: int, form: Form) -> Response:
    return Response(json, status, {"cache-control": "no-store"}, media_type=form.media_type)


def _respond(result: ExecutionResult, request_id: str) -> _Shown:
    if not result.errors:
        return _Shown(orjson.dumps({"data": result.data}))
    errors = result.errors[:GRAPHQL_ERRORS_MAX]
    # Without a path nothing was executed: the variables did not fit, so the request itself was refused.
    if result.data is None and all(error.path is None and not _is_ours(error) for error in errors):
        return _Shown(orjson.dumps({"errors": [_refusal(error) for error in errors]}), refused=True)
    shown = {"errors": [_field_error(error, request_id) for error in errors], "data": result.data}
    return _Shown(orjson.dumps(shown))


def _refused(refusal: BadInput) -> _Shown:
    shown = {"message": refusal.message, "extensions": error_fields(refusal, "")}
    return _Shown(orjson.dumps({"errors": [shown]}), refused=True)


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
