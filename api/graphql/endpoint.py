"""/api/graphql: reads the request, prepares the document, answers from what is kept or executes it, in GraphQL's shape,
always."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from math import ceil
from types import CoroutineType
from typing import Any, Final, NamedTuple, TypeGuard
from uuid import UUID

import structlog
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    execute,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.graphql import incoming, limits, variables
from api.graphql.answers import Answer, Answers, Question
from api.graphql.context import Context, Makers, Services
from api.graphql.documents import Documents, InvalidDocumentError, Prepared, Root
from api.graphql.drops import Drops
from api.graphql.execution import Meter, MeteredExecutor, too_many_bytes
from api.graphql.incoming import Asked
from api.graphql.persisted import Persisted
from config import metrics
from config.db.database import Database
from config.errors import (
    AnswerTooLarge,
    ApiError,
    BadInput,
    MethodNotAllowed,
    Unauthenticated,
)
from config.limits import (
    GRAPHQL_ANSWER_BYTES_MAX,
    GRAPHQL_ERROR_CHARS_MAX,
    GRAPHQL_ERRORS_MAX,
    VARIABLES_MAX,
    VARIABLES_SIGNED_IN_MAX,
)
from config.serving.answers import error_fields, error_response, json_response
from config.serving.http import unexpected
from rt.auth.tokens import Access
from rt.wire.drops import Drop

log = structlog.get_logger()

# Who asks, from the Authorization header; raises Unauthenticated for a token that is not good.
Authenticate = Callable[[str | None], Access | None]

_SECONDS: Final = {
    OperationType.QUERY: metrics.GRAPHQL_SECONDS.labels("query"),
    OperationType.MUTATION: metrics.GRAPHQL_SECONDS.labels("mutation"),
}


class Caches(NamedTuple):
    """What this process keeps beside its documents."""

    answers: Answers
    drops: Drops
    persisted: Persisted


class GraphQLEndpoint:
    """The ASGI application of the path. Errors of fields are HTTP 200; a refused request has its own status."""

    def __init__(
        self,
        schema: GraphQLSchema,
        db: Database,
        makers: Makers,
        authenticate: Authenticate,
        caches: Caches,
        *,
        introspection: bool,
    ) -> None:
        self._schema = schema
        self._db = db
        self._makers = makers
        self._authenticate = authenticate
        self._caches = caches
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
                response.headers["allow"] = "POST" if request.method == "GET" else "GET, POST"
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "GET":
            asked = incoming.of_address(request.headers, request.query_params)
        elif request.method == "POST":
            asked = incoming.of_body(request.headers, await request.body())
        else:
            raise MethodNotAllowed("GraphQL is asked by GET and POST")
        viewer = self._authenticate(request.headers.get("authorization"))
        named = asked.extensions.persistedQuery if asked.extensions else None
        text = await self._caches.persisted.text(
            asked.query, named.sha256Hash if named else None, named.version if named else 0
        )
        tier = viewer.tier if viewer else "anonymous"
        prepared = self._documents.prepare(text, tier)
        operation = prepared.operation(asked.operationName or None)
        is_query = operation.operation is OperationType.QUERY
        if request.method == "GET" and not is_query:
            raise MethodNotAllowed("A mutation is asked by POST")
        metrics.GRAPHQL_COMPLEXITY.observe(prepared.cost)
        name = operation.name.value if operation.name else ""
        roots = prepared.signed_in[name]
        if viewer is None and roots:  # before anything is done for them
            return _respond(_please_sign_in(roots), request.state.request_id)
        policy = prepared.policies[name]
        done: _Outcome | None = None

        async def make() -> bytes | None:
            nonlocal done
            done = await self._run(prepared, asked, operation, viewer, request.state.request_id)
            return bytes(done.response.body) if done.clean else None

        started = time.perf_counter()
        answer = None
        if policy.life_s:
            own = viewer.user if viewer and policy.own else None
            question = Question(prepared.digest, name, bytes(asked.variables), tier, own)
            answer = await self._caches.answers.answer(question, policy, make)
        else:
            await make()
        _SECONDS[operation.operation].observe(time.perf_counter() - started)
        if named is not None and (answer is not None or (done is not None and done.ran)):
            self._caches.persisted.register(text, named.sha256Hash, values=not is_query)
        if answer is None:
            assert done is not None  # noqa: S101 - what was not kept was made
            return done.response
        shown = request.method == "GET" and viewer is None and not policy.own
        return _kept(answer, for_everybody=shown)

    async def _run(
        self,
        prepared: Prepared,
        asked: Asked,
        operation: OperationDefinitionNode,
        viewer: Access | None,
        request_id: str,
    ) -> "_Outcome":
        values = variables.read(asked.variables, VARIABLES_SIGNED_IN_MAX if viewer else VARIABLES_MAX)
        services = Services(self._makers, self._db.for_request(UUID(viewer.user) if viewer else None))
        meter = Meter(limits.fields_max(viewer.tier if viewer else "anonymous"))
        context = Context(services, viewer, datetime.now(UTC))
        fits = True
        try:
            result = await self._execute(prepared, asked.operationName, values, context, meter)
        except AnswerTooLarge as refusal:
            result, fits = _too_large(refusal), False
        finally:
            if viewer is not None and operation.operation is OperationType.MUTATION:
                policy = prepared.policies[operation.name.value if operation.name else ""]
                self._caches.drops.soon(Drop(frozenset(policy.drops), policy.named(values) | {viewer.user}))
        response = _respond(result, request_id)
        if len(response.body) - meter.ready > GRAPHQL_ANSWER_BYTES_MAX:
            response, fits = _respond(_too_large(too_many_bytes()), request_id), False
        return _Outcome(response, fits and not result.errors, fits and response.status_code == 200)

    async def _execute(
        self,
        prepared: Prepared,
        operation_name: str | None,
        values: dict[str, Any] | None,
        context: Context,
        meter: Meter,
    ) -> ExecutionResult:
        result = execute(
            self._schema,
            prepared.document,
            context_value=context,
            variable_values=values,
            operation_name=operation_name or None,
            max_coercion_errors=GRAPHQL_ERRORS_MAX,
            executor_class=MeteredExecutor,
            hide_suggestions=True,
            is_awaitable=_is_awaitable,
            meter=meter,
        )
        return result if isinstance(result, ExecutionResult) else await result


class _Outcome(NamedTuple):
    """What came of executing: whether there is no error in it, and whether it was executed at all and fits."""

    response: Response
    clean: bool
    ran: bool


def _is_awaitable(value: object) -> TypeGuard[Awaitable[Any]]:
    # Resolvers and the executor make coroutines and no other awaitable: asking for just those saves a tenth.
    return type(value) is CoroutineType


def _respond(result: ExecutionResult, request_id: str) -> Response:
    if not result.errors:
        return json_response({"data": result.data})
    errors = result.errors[:GRAPHQL_ERRORS_MAX]
    # Without a path nothing was executed: the variables did not fit, so the request itself was refused.
    if result.data is None and all(error.path is None and not _is_ours(error) for error in errors):
        return json_response({"errors": [_refusal(error) for error in errors]}, 400)
    return json_response({"errors": [_field_error(error, request_id) for error in errors], "data": result.data})


def _kept(answer: Answer, *, for_everybody: bool) -> Response:
    """An answer without errors. What everybody gets alike any cache on the way may keep as long as we do: by what is
    accepted, and apart from whoever signs in, since a token that is not good is refused."""
    headers = {"cache-control": "no-store"}
    if for_everybody:
        headers = {"cache-control": f"public, max-age={ceil(answer.life_s)}", "vary": "Accept, Authorization"}
    return Response(answer.body, 200, headers, media_type="application/json")


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
