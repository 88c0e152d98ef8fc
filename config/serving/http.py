"""The shell around every HTTP answer: request id, log line, metrics, security headers, CORS, body limit, errors.

Two pure-ASGI layers. `Answering` is outermost and touches what goes out; `Guarding` decides on what comes in and
hands the application a body that has arrived whole.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config import metrics
from config.addresses import address_group, client_address, host_name, is_inside, is_lenient, names_us, networks
from config.db.postgres import fault_of
from config.db.sqlstates import Kind
from config.errors import (
    ApiError,
    BadInput,
    ClientLeft,
    Forbidden,
    Internal,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    RetryLater,
)
from config.limits import HTTP_BODY_BYTES_MAX, HTTP_BODY_S, HTTP_DISCARD_BYTES_MAX
from config.serving.answers import error_response
from config.serving.bodies import HalfBodies, HalfBody
from config.settings import Settings
from config.shares import Shares

log = structlog.get_logger()

# Answers that are no page: nothing may be loaded by them, nobody may frame them. The page brings its own policy.
SECURITY_HEADERS: Final = (
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", "camera=(), microphone=(), payment=(), usb=(), geolocation=(self)"),
    ("cross-origin-opener-policy", "same-origin"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
)
OPERATIONS: Final = frozenset({"/health", "/ready", "/metrics"})
# Asked by balancers under whatever name they know this host, and also when the process is full; what they are told is
# worth nothing to others.
_DOORS: Final = frozenset({"/health", "/ready"})

# The Content-Security-Policy of a page, of the Host header that it was asked by, and whether a trusted proxy sent it.
Policy = Callable[[str, bool], str]
NO_POLICIES: Final[Mapping[str, Policy]] = {}

_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")
_CORS_METHODS: Final = "GET, POST"
_CORS_HEADERS: Final = ("authorization", "content-type", "x-request-id")
_EXPOSED: Final = "x-request-id, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset, ratelimit-policy"


class Answering:
    """Outermost: gives the request its id, dresses the answer, counts and logs it, turns a crash into a 500."""

    def __init__(self, app: ASGIApp, settings: Settings, policies: Mapping[str, Policy] = NO_POLICIES) -> None:
        """`policies`: of the paths that are pages."""
        self._app = app
        self._policies = policies
        self._origins = settings.origins
        self._trusted = networks(settings.trusted_proxies)
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. After `send` was called once, an exception ends the connection: the answer cannot be taken back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        state = scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        peer, forwarded = _peer(scope), ",".join(headers.getlist("x-forwarded-for"))
        state["client"] = client = client_address(peer, forwarded, self._trusted)
        spared = self._settings.loopback_lenient and is_lenient(peer, bool(forwarded), self._trusted)
        state["holder"] = None if spared else address_group(client)
        scheme, trusts = headers.get("x-forwarded-proto"), is_inside(peer, self._trusted)
        state["proxied"] = trusts and bool(forwarded or scheme)
        if scheme in ("http", "https") and trusts:
            scope["scheme"] = scheme
        structlog.contextvars.bind_contextvars(request_id=request_id)
        origin = headers.get("origin")
        answer = _Answer(send, state, origin if origin in self._origins else None, self._page_policy(scope, headers))
        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            log.exception("request_failed")
            if answer.status:
                raise
            await error_response(scope, unexpected(error))(scope, receive, answer)
        finally:
            _observe(scope, answer, time.perf_counter() - started)

    def _page_policy(self, scope: Scope, headers: Headers) -> str | None:
        policy = self._policies.get(scope["path"])
        return None if policy is None else policy(headers.get("host", ""), scope["state"]["proxied"])


class _Answer:
    """The `send` of one request: adds the headers that every answer has and keeps what metrics need."""

    __slots__ = ("_origin", "_policy", "_send", "_state", "size", "status")

    def __init__(self, send: Send, state: dict[str, Any], origin: str | None, policy: str | None) -> None:
        self._send = send
        self._state = state
        self._origin = origin
        self._policy = policy
        self.status = 0
        self.size = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["x-request-id"] = self._state["request_id"]
            for name, value in self._state.get("rate_limit", ()):
                headers[name] = value
            if self._policy is not None:
                headers["content-security-policy"] = self._policy
            for name, value in SECURITY_HEADERS:
                headers.setdefault(name, value)
            headers.add_vary_header("Origin")
            if self._origin is not None:
                headers["access-control-allow-origin"] = self._origin
                headers["access-control-allow-credentials"] = "true"
                headers["access-control-expose-headers"] = _EXPOSED
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        await self._send(message)


class Guarding:
    """Refuses what no handler should see: a wrong Host, a foreign preflight, a body too big or too slow.

    `scope["state"]["holder"]` is whose share a request counts for: an address, or None for nobody's.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._asking = Shares(settings.connections_per_address_max)  # many may share one connection of a proxy
        self._half = HalfBodies()
        self._origins = settings.origins
        self._allowed_headers = ", ".join((*_CORS_HEADERS, *settings.allowed_headers))
        self._hosts = settings.hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; refusals are answers in the shape that the path has."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        holder = None if scope["path"] in _DOORS else scope["state"]["holder"]
        try:
            if scope["state"].get("full") and scope["path"] not in _DOORS:
                raise RetryLater
            if holder is not None and not self._asking.take(holder):
                holder = None
                raise RateLimited
            await self._answer(scope, receive, send)
        except ApiError as refusal:
            response = error_response(scope, refusal)
            # Where a body was not read to its end, nothing that follows can be told from it.
            if _has_body(Headers(scope=scope)):
                response.headers["connection"] = "close"
            await response(scope, receive, send)
        except ClientLeft:
            return
        finally:
            if holder is not None:
                self._asking.give_back(holder)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if not scope["path"].isprintable():
            raise NotFound  # a route's pattern ends in `$`, which a line feed at the end passes
        if scope["path"] not in _DOORS:
            check_host(headers.getlist("host"), self._hosts)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await self._preflight(headers)(scope, receive, send)
            return
        body = await self._whole_body(headers, receive, scope["state"]["holder"])
        await self._app(scope, _replay(body, receive), send)

    def _preflight(self, headers: Headers) -> Response:
        if headers.get("origin") not in self._origins:
            raise Forbidden("This origin may not call the API")
        allowed = {
            "access-control-allow-methods": _CORS_METHODS,
            "access-control-allow-headers": self._allowed_headers,
            "access-control-max-age": "600",
        }
        return Response(status_code=204, headers=allowed)

    async def _whole_body(self, headers: Headers, receive: Receive, holder: str | None) -> bytes:
        """The request's body. Raises ApiError 413 above HTTP_BODY_BYTES_MAX, 408 after HTTP_BODY_S, 503 where too many
        are half-sent, or ClientLeft."""
        if not _has_body(headers):
            return b""
        too_big = PayloadTooLarge(f"A body may have at most {HTTP_BODY_BYTES_MAX} bytes")
        declared = headers.get("content-length", "")
        size = int(declared) if declared.isdigit() else 0
        # Whoever asks before sending, or announces more than we would read away, hears it at once.
        if size > HTTP_DISCARD_BYTES_MAX or (size > HTTP_BODY_BYTES_MAX and "expect" in headers):
            raise too_big
        half: HalfBody | None = None
        try:
            async with asyncio.timeout(HTTP_BODY_S) as deadline:
                first = await receive()
                if first["type"] != "http.disconnect" and not first["more_body"]:
                    chunks, size = [first["body"]], len(first["body"])
                else:
                    half = self._half.begin(deadline, holder)
                    chunks, size = await _rest_of_body(first, receive, self._half, half)
        except TimeoutError:
            if half is not None and half.shed:
                raise RetryLater("Too many bodies are half-sent") from None
            late = f"The body did not arrive within {HTTP_BODY_S} seconds"
            raise ApiError("REQUEST_TIMEOUT", late, 408) from None
        finally:
            if half is not None:
                self._half.end(half)
        if size > HTTP_BODY_BYTES_MAX:
            raise too_big
        return b"".join(chunks)


def check_host(hosts: Sequence[str], known: frozenset[str]) -> None:
    """Raises ApiError 400 unless exactly one Host names us: a known name, or an address.

    This is what stops DNS rebinding, see config.addresses.names_us.
    """
    name = host_name(hosts[0]) if len(hosts) == 1 else None
    if name is None:
        raise BadInput("One well-formed Host header is needed")
    if not names_us(name, known):
        raise BadInput("This host is not served here; ALLOWED_ORIGINS names those that are")


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip("0 ") != ""


async def _rest_of_body(
    message: Message, receive: Receive, halves: HalfBodies, half: HalfBody
) -> tuple[list[bytes], int]:
    """What came and its size; of a body over HTTP_BODY_BYTES_MAX nothing is kept any more, the rest is read away."""
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientLeft
        size += len(message["body"])
        if size <= HTTP_BODY_BYTES_MAX:
            halves.grow(half, len(message["body"]))
            chunks.append(message["body"])
        elif chunks:
            chunks.clear()
            halves.end(half)
        if not message["more_body"] or size > HTTP_DISCARD_BYTES_MAX:
            return chunks, size
        message = await receive()


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once and then what the server says (a disconnect)."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (404, 405) in the API's shape."""
    if not isinstance(error, HTTPException):
        raise error
    refusals = {404: NotFound(), 405: MethodNotAllowed()}
    response = error_response(request.scope, refusals.get(error.status_code, BadInput()))
    response.headers.update(error.headers or {})
    return response


async def on_api_error(request: Request, error: Exception) -> Response:
    """A refusal of a use case, in the API's shape."""
    if not isinstance(error, ApiError):
        raise error
    return error_response(request.scope, error)


def unexpected(error: Exception) -> ApiError:
    """What a caller is told of an error that nobody foresaw: whether to come back, and nothing of the inside."""
    if isinstance(error, ApiError):
        return error
    fault = fault_of(error)
    return Internal() if fault is None or fault.kind is Kind.OURS else RetryLater()


def _observe(scope: Scope, answer: _Answer, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    _count(scope["method"], route, answer.status)()
    observe_seconds, observe_bytes = _observers(route)
    observe_seconds(seconds)
    observe_bytes(answer.size)
    line = log.debug if scope["path"] in OPERATIONS else log.info
    line(
        "http_request",
        method=scope["method"],
        route=route,
        status=answer.status,
        ms=round(seconds * 1000, 2),
        bytes=answer.size,
        client=scope["state"]["client"],
    )


@lru_cache(maxsize=1_000)
def _count(method: str, route: str, status: int) -> Callable[[], None]:
    return metrics.HTTP_REQUESTS.labels(method, route, status).inc


@lru_cache(maxsize=100)
def _observers(route: str) -> tuple[Callable[[float], None], Callable[[float], None]]:
    return metrics.HTTP_SECONDS.labels(route).observe, metrics.HTTP_BYTES.labels(route).observe


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"
