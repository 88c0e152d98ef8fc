"""/api/graphql: reads the request, prepares its documents, counts them, answers from what is kept or executes them, in
GraphQL's shape, always.

A batch is one request: each of its operations counts for the rate limits, and what one operation may have (cost,
aliases, values, fields and bytes of its answer, one statement at a time) they have together.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
import structlog
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.graphql import incoming
from api.graphql.answers import Answers, Question
from api.graphql.context import Context, Makers, Services
from api.graphql.drops import Drops
from api.graphql.execution import Meter, too_many_bytes
from api.graphql.incoming import Asked
from api.graphql.operation import Operation, runs_of
from api.graphql.persisted import Persisted
from config import metrics
from config.db.database import Database
from config.errors import (
    AnswerTooLarge,
    ApiError,
    BadInput,
    MethodNotAllowed,
    PersistedQueryNotFound,
    RateLimited,
    Unauthenticated,
)
from config.graphql import limits, variables
from config.graphql.documents import Documents, InvalidDocumentError, Prepared, Root
from config.limits import (
    GRAPHQL_ANSWER_BYTES_MAX,
    GRAPHQL_ERROR_CHARS_MAX,
    GRAPHQL_ERRORS_MAX,
    VARIABLES_MAX,
    VARIABLES_SIGNED_IN_MAX,
)
from config.rates.gate import Gate, answer_is_shared
from config.serving.accept import Form, form_of
from config.serving.answers import error_fields, error_response
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


class _Ready(NamedTuple):
    """An operation that may be executed. `name`: "" for one without."""

    asked: Asked
    text: str
    prepared: Prepared[Operation]
    node: OperationDefinitionNode
    name: str


# What keeps an operation from being executed.
_Refusal = InvalidDocumentError | BadInput | PersistedQueryNotFound


class _Shown(NamedTuple):
    """An operation's answer in JSON. `refused`: it was not executed; `public_s`: caches on the way may keep it."""

    json: bytes
    refused: bool = False
    public_s: float = 0.0


class _Together:
    """What the operations of one request share: who asks, and what is left for the next of them."""

    def __init__(self, viewer: Access | None, db: Database, request: Request) -> None:
        self.viewer = viewer
        self.tier = viewer.tier if viewer else "anonymous"
        self.db = db
        self.by_get = request.method == "GET"
        self.request_id: str = request.state.request_id
        self.meter = Meter(limits.fields_max(self.tier))
        self.values_left = VARIABLES_SIGNED_IN_MAX if viewer else VARIABLES_MAX
        self._bytes = 0

    def has_room(self, size: int) -> bool:
        """Whether an answer of so many bytes fits behind those before it."""
        self._bytes += size
        return self._bytes - self.meter.ready <= GRAPHQL_ANSWER_BYTES_MAX


class GraphQLEndpoint:
    """The ASGI application of the path. Errors of fields are HTTP 200; a refused request has its own status."""

    def __init__(
        self,
        schema: GraphQLSchema,
        db: Database,
        makers: Makers,
        authenticate: Authenticate,
        caches: Caches,
        gate: Gate,
        *,
        introspection: bool,
    ) -> None:
        self._schema = schema
        self._db = db
        self._makers = makers
        self._authenticate = authenticate
        self._caches = caches
        self._gate = gate
        self._documents = Documents(
            schema, runs_of, introspection=introspection, hit=metrics.GRAPHQL_CACHE_HITS.labels("documents").inc
        )

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
        batch = isinstance(asked, list)
        found: list[_Ready | _Refusal] = []
        for one in asked if isinstance(asked, list) else [asked]:
            if found:
                await asyncio.sleep(0)  # each may take the loop as long as a request of its own
            found.append(await self._prepared(one, tier))
        ready = [one for one in found if isinstance(one, _Ready)]
        mutations = sum(one.prepared.mutations[one.name] for one in ready)
        await self._gate.request(request.scope["state"], user, tier, operations=len(found), mutations=mutations)
        if mutations and request.method == "GET":
            raise MethodNotAllowed("A mutation is asked by POST")
        if batch:
            limits.check_batch(
                sum(one.prepared.cost for one in ready), sum(one.prepared.aliases for one in ready), tier
            )
        together = _Together(viewer, self._db.for_request(UUID(user) if user else None), request)
        shown = [await self._shown(one, together) for one in found]
        if batch:
            return _response(_Shown(b"[" + b",".join(one.json for one in shown) + b"]"), form)
        if shown[0].public_s:
            answer_is_shared(request.scope["state"])
        return _response(shown[0], form)

    async def _read(self, request: Request) -> tuple[Access | None, Asked | list[Asked]]:
        """Who asks for what. What is refused here counts as well, for the user or for the address."""
        state = request.scope["state"]
        viewer: Access | None = None
        try:
            viewer = self._authenticate(request.headers.get("authorization"))
            self._gate.known(state, *((viewer.user, viewer.tier) if viewer else ()))
            if request.method == "GET":
                return viewer, incoming.of_address(request.headers, request.query_params)
            if request.method == "POST":
                return viewer, incoming.of_body(request.headers, await request.body())
            raise MethodNotAllowed("GraphQL is asked by GET and POST")
        except RateLimited:
            raise
        except ApiError:
            await self._gate.request(state, *((viewer.user, viewer.tier) if viewer else ()))
            raise

    async def _prepared(self, asked: Asked, tier: str) -> _Ready | _Refusal:
        named = asked.extensions.persistedQuery if asked.extensions else None
        try:
            text = await self._caches.persisted.text(
                asked.query, named.sha256Hash if named else None, named.version if named else 0
            )
            prepared = self._documents.prepare(text, tier)
            node = prepared.operation(asked.operationName or None)
        except (InvalidDocumentError, BadInput, PersistedQueryNotFound) as refusal:
            return refusal
        return _Ready(asked, text, prepared, node, node.name.value if node.name else "")

    async def _shown(self, one: _Ready | _Refusal, together: _Together) -> _Shown:
        if isinstance(one, InvalidDocumentError):
            return _Shown(orjson.dumps({"errors": [_refusal(error) for error in one.errors]}), refused=True)
        if isinstance(one, ApiError):
            return _refused(one)
        metrics.GRAPHQL_COMPLEXITY.observe(one.prepared.cost)
        viewer, roots, policy = together.viewer, one.prepared.signed_in[one.name], one.prepared.policies[one.name]
        if viewer is None and roots:  # before anything is done for them
            return _respond(_please_sign_in(roots), together.request_id)
        done: _Outcome | None = None

        async def make() -> bytes | None:
            nonlocal done
            done = await self._run(one, together)
            return done.shown.json if done.clean else None

        started = time.perf_counter()
        answer = None
        if policy.life_s:
            own = viewer.user if viewer and policy.own else None
            question = Question(one.prepared.digest, one.name, bytes(one.asked.variables), together.tier, own)
            answer = await self._caches.answers.answer(question, policy, make)
        else:
            await make()
        kind, named = one.node.operation, one.asked.extensions.persistedQuery if one.asked.extensions else None
        _SECONDS[kind].observe(time.perf_counter() - started)
        if named is not None and (answer is not None or (done is not None and done.ran)):
            self._caches.persisted.register(one.text, named.sha256Hash, values=kind is not OperationType.QUERY)
        if answer is None:
            assert done is not None  # noqa: S101 - what was not kept was made
            return done.shown
        if done is None and not together.has_room(len(answer.body)):
            return _respond(_too_large(too_many_bytes()), together.request_id)
        return _Shown(answer.body, public_s=answer.life_s if together.by_get and not (viewer or policy.own) else 0.0)

    async def _run(self, one: _Ready, together: _Together) -> "_Outcome":
        viewer, meter, policy = together.viewer, together.meter, one.prepared.policies[one.name]
        try:
            values, count = variables.read(one.asked.variables, together.values_left)
        except BadInput as refusal:
            return _Outcome(_refused(refusal), clean=False, ran=False)
        together.values_left -= count
        context = Context(Services(self._makers, together.db), viewer, datetime.now(UTC))
        fits = True
        try:
            result = await one.prepared.runs[one.name].run(context, values, meter)
        except AnswerTooLarge as refusal:
            result, fits = _too_large(refusal), False
        finally:
            if viewer is not None and one.node.operation is OperationType.MUTATION:
                self._caches.drops.soon(Drop(frozenset(policy.drops), policy.named(values) | {viewer.user}))
        shown = _respond(result, together.request_id)
        if not together.has_room(len(shown.json)):
            shown, fits = _respond(_too_large(too_many_bytes()), together.request_id), False
        return _Outcome(shown, clean=fits and not result.errors, ran=fits and not shown.refused)


class _Outcome(NamedTuple):
    """What came of executing: whether there is no error in it, and whether it was executed at all and fits."""

    shown: _Shown
    clean: bool
    ran: bool


def _response(shown: _Shown, form: Form) -> Response:
    """What everybody gets alike any cache on the way may keep as long as we do: by what is accepted, and apart from
    whoever signs in, since a token that is not good is refused."""
    headers = {"cache-control": "no-store"}
    if shown.public_s:
        headers = {"cache-control": f"public, max-age={ceil(shown.public_s)}", "vary": "Accept, Authorization"}
    return Response(shown.json, form.refused if shown.refused else 200, headers, media_type=form.media_type)


def _respond(result: ExecutionResult, request_id: str) -> _Shown:
    if not result.errors:
        return _Shown(orjson.dumps({"data": result.data}))
    errors = result.errors[:GRAPHQL_ERRORS_MAX]
    # Without a path nothing was executed: the variables did not fit, so the request itself was refused.
    if result.data is None and all(error.path is None and not _is_ours(error) for error in errors):
        return _Shown(orjson.dumps({"errors": [_refusal(error) for error in errors]}), refused=True)
    shown = {"errors": [_field_error(error, request_id) for error in errors], "data": result.data}
    return _Shown(orjson.dumps(shown))


def _refused(refusal: ApiError) -> _Shown:
    shown = {"message": refusal.message, "extensions": error_fields(refusal, "")}
    return _Shown(orjson.dumps({"errors": [shown]}), refused=refusal.status >= 400)


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
