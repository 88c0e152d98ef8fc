"""The shell around every HTTP answer: request id, log line, metrics, security headers, CORS, body limit, errors.

One pure-ASGI layer around the routes. It decides on what comes in, hands on a body that has arrived whole, makes errors
of what the routes raise, and touches what goes out. The head is read once: a layer each for these would take as long as
a small query.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

import structlog
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipResponder
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
    Internal,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    RetryLater,
)
from config.limits import HTTP_BODY_BYTES_MAX, HTTP_BODY_S, HTTP_COMPRESS_BYTES_MIN, HTTP_DISCARD_BYTES_MAX
from config.serving.answers import error_response
from config.serving.bodies import HalfBodies, HalfBody
from config.serving.cors import NO_GUESTS, Cors, Guests
from config.settings import Settings
from config.shares import Shares

log = structlog.get_logger()

# Answers that are no page: nothing may be loaded by them, nobody may frame them. The page brings its own policy.
_SECURITY: Final = (
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), payment=(), usb=(), geolocation=(self)"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_SECURED: Final = frozenset(name for name, _ in _SECURITY)
_VARY: Final = (b"Accept-Encoding", b"Origin")
_VARIES: Final = b", ".join(_VARY)
OPERATIONS: Final = frozenset({"/health", "/ready", "/metrics"})
# Asked by balancers under whatever name they know this host, and also when the process is full; what they are told is
# worth nothing to others.
_DOORS: Final = frozenset({"/health", "/ready"})

# The Content-Security-Policy of a page, of the Host header that it was asked by, and whether a trusted proxy sent it.
Policy = Callable[[str, bool], str]
NO_POLICIES: Final[Mapping[str, Policy]] = {}

_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")
_COMPRESS_LEVEL: Final = 5


class Shell:
    """Gives a request its id, lets it in or refuses it, dresses, counts and logs its answer.

    `scope["state"]` says what routes may ask: `request_id`, `client` (an address), `holder` (whose share it counts for:
    an address, or None for nobody's) and `proxied`.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        policies: Mapping[str, Policy] = NO_POLICIES,
        guests: Guests = NO_GUESTS,
    ) -> None:
        """`app`: the routes. `policies`: of the paths that are pages. `guests`: whose pages show a widget."""
        self._app = app
        self._policies = policies
        self._cors = Cors(settings.origins, settings.allowed_headers, guests)
        self._trusted = networks(settings.trusted_proxies)
        self._lenient = settings.loopback_lenient
        self._asking = Shares(settings.connections_per_address_max)  # many may share one connection of a proxy
        self._half = HalfBodies()
        self._hosts = settings.hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. After `send` was called once, an exception ends the connection: the answer cannot be taken back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        head = _Head(scope)
        scope["app"] = self  # so that routes raise what they refuse
        self._say_who(scope, head)
        answer = self._answer(scope, head, send)
        structlog.contextvars.bind_contextvars(request_id=scope["state"]["request_id"])
        try:
            await self._guarded(scope, head, receive, answer)
        except Exception as error:
            log.exception("request_failed")
            if answer.status:
                raise
            await error_response(scope, unexpected(error))(scope, receive, answer)
        finally:
            _observe(scope, answer, time.perf_counter() - started)

    def _say_who(self, scope: Scope, head: "_Head") -> None:
        state = scope.setdefault("state", {})
        given = head.get(b"x-request-id")
        state["request_id"] = given if given and _REQUEST_ID.fullmatch(given) else uuid4().hex
        client = scope.get("client")
        peer, forwarded = client[0] if client else "unknown", ",".join(head.all(b"x-forwarded-for"))
        state["client"] = address = client_address(peer, forwarded, self._trusted)
        spared = self._lenient and is_lenient(peer, bool(forwarded), self._trusted)
        state["holder"] = None if spared else address_group(address)
        scheme, trusts = head.get(b"x-forwarded-proto"), is_inside(peer, self._trusted)
        state["proxied"] = trusts and bool(forwarded or scheme)
        if scheme in ("http", "https") and trusts:
            scope["scheme"] = scheme

    def _answer(self, scope: Scope, head: "_Head", send: Send) -> "_Answer":
        headers = [(b"x-request-id", scope["state"]["request_id"].encode())]
        policy = self._policies.get(scope["path"])
        if policy is not None:
            shown = policy(head.get(b"host") or "", scope["state"]["proxied"])
            headers.append((b"content-security-policy", shown.encode()))
        headers += self._cors.headers(scope["path"], head.get(b"origin"))
        return _Answer(send, headers, scope["state"])

    async def _guarded(self, scope: Scope, head: "_Head", receive: Receive, answer: "_Answer") -> None:
        """Refusals are answers in the shape that the path has."""
        door = scope["path"] in _DOORS
        holder, read = None if door else scope["state"]["holder"], False
        try:
            if scope["state"].get("full") and not door:
                holder = None
                raise RetryLater
            if holder is not None and not self._asking.take(holder):
                holder = None
                raise RateLimited
            if not scope["path"].isprintable():
                raise NotFound  # a route's pattern ends in `$`, which a line feed at the end passes
            if not door:
                check_host(head.all(b"host"), self._hosts)
            if scope["method"] == "OPTIONS" and head.get(b"access-control-request-method") is not None:
                await self._cors.preflight(scope["path"], head.get(b"origin"))(scope, receive, answer)
                return
            body = await self._whole_body(head, receive, scope["state"])
            read = True
            app = _compressed(self._app) if "gzip" in (head.get(b"accept-encoding") or "") else self._app
            await app(scope, _replay(body, receive), answer)
        except (ApiError, HTTPException) as error:
            if answer.status:
                raise
            response = refused(scope, error)
            # Where a body was not read to its end, nothing that follows can be told from it.
            if not read and head.has_body:
                response.headers["connection"] = "close"
            await response(scope, receive, answer)
        except ClientLeft:
            return
        finally:
            if holder is not None:
                self._asking.give_back(holder)

    async def _whole_body(self, head: "_Head", receive: Receive, state: Mapping[str, Any]) -> bytes:
        """The request's body. Raises ApiError 413 above HTTP_BODY_BYTES_MAX, 408 after HTTP_BODY_S, 503 where too many
        are half-sent, or ClientLeft."""
        if not head.has_body:
            return b""
        too_big = PayloadTooLarge(f"A body may have at most {HTTP_BODY_BYTES_MAX} bytes")
        declared = head.get(b"content-length") or ""
        size = int(declared) if declared.isdigit() else 0
        # Whoever asks before sending, or announces more than we would read away, hears it at once.
        if size > HTTP_DISCARD_BYTES_MAX or (size > HTTP_BODY_BYTES_MAX and head.get(b"expect") is not None):
            raise too_big
        if state.get("whole"):  # it came with its head: there is nothing to wait for
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            chunks, size = [message["body"]], len(message["body"])
        else:
            chunks, size = await _arriving_body(receive, self._half, state["holder"])
        if size > HTTP_BODY_BYTES_MAX:
            raise too_big
        return b"".join(chunks)


class _Head:
    """The headers of a request, by their names in lower case."""

    __slots__ = ("_all", "_first", "has_body")

    def __init__(self, scope: Scope) -> None:
        self._all: list[tuple[bytes, bytes]] = scope["headers"]
        self._first = dict(reversed(self._all))
        self.has_body = (
            b"transfer-encoding" in self._first or self._first.get(b"content-length", b"0").strip(b"0 ") != b""
        )

    def get(self, name: bytes) -> str | None:
        """The first of this name."""
        value = self._first.get(name)
        return None if value is None else value.decode("latin-1")

    def all(self, name: bytes) -> list[str]:
        """All of this name, in their order."""
        if name not in self._first:
            return []
        return [value.decode("latin-1") for one, value in self._all if one == name]


class _Answer:
    """The `send` of one request: adds the headers that every answer has, `headers`, and those that `state` has got
    meanwhile as `rate_limit`; keeps what metrics need."""

    __slots__ = ("_headers", "_send", "_state", "size", "status")

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]], state: Mapping[str, Any]) -> None:
        self._send = send
        self._state = state
        self._headers = headers
        self.status = 0
        self.size = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._headers += [(name.encode(), value.encode()) for name, value in self._state.get("rate_limit", ())]
            message["headers"] = _dressed(message.get("headers", ()), self._headers)
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        await self._send(message)


def _dressed(said: Sequence[tuple[bytes, bytes]], ours: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What the answer says, then ours, which it cannot say otherwise, then what every answer says unless it does."""
    names = {name for name, _ in said}
    given = {name for name, _ in ours}
    vary = b", ".join(value for name, value in said if name == b"vary")
    headers = [pair for pair in said if pair[0] != b"vary" and pair[0] not in given] if vary or names & given else said
    names |= given
    return [
        *headers,
        *ours,
        (b"vary", _varying(vary)),
        *(_SECURITY if names.isdisjoint(_SECURED) else [pair for pair in _SECURITY if pair[0] not in names]),
    ]


def _varying(said: bytes) -> bytes:
    """Whatever else it depends on, an answer depends on who may read it and in what coding."""
    lower = said.lower()
    return b", ".join([said, *(name for name in _VARY if name.lower() not in lower)]) if said else _VARIES


def _compressed(app: ASGIApp) -> ASGIApp:
    return GZipResponder(app, HTTP_COMPRESS_BYTES_MIN, _COMPRESS_LEVEL)


def check_host(hosts: Sequence[str], known: frozenset[str]) -> None:
    """Raises ApiError 400 unless exactly one Host names us: a known name, or an address.

    This is what stops DNS rebinding, see config.addresses.names_us.
    """
    name = host_name(hosts[0]) if len(hosts) == 1 else None
    if name is None:
        raise BadInput("One well-formed Host header is needed")
    if not names_us(name, known):
        raise BadInput("This host is not served here; ALLOWED_ORIGINS names those that are")


async def _arriving_body(receive: Receive, halves: HalfBodies, holder: str | None) -> tuple[list[bytes], int]:
    """A body within HTTP_BODY_S, and its size."""
    half: HalfBody | None = None
    try:
        async with asyncio.timeout(HTTP_BODY_S) as deadline:
            first = await receive()
            if first["type"] != "http.disconnect" and not first["more_body"]:
                return [first["body"]], len(first["body"])
            half = halves.begin(deadline, holder)
            return await _rest_of_body(first, receive, halves, half)
    except TimeoutError:
        if half is not None and half.shed:
            raise RetryLater("Too many bodies are half-sent") from None
        late = f"The body did not arrive within {HTTP_BODY_S} seconds"
        raise ApiError("REQUEST_TIMEOUT", late, 408) from None
    finally:
        if half is not None:
            halves.end(half)


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


def refused(scope: Scope, error: ApiError | HTTPException) -> Response:
    """A refusal in the API's shape: of a use case, or Starlette's own (404, 405)."""
    if isinstance(error, ApiError):
        return error_response(scope, error)
    refusals = {404: NotFound(), 405: MethodNotAllowed()}
    response = error_response(scope, refusals.get(error.status_code, BadInput()))
    response.headers.update(error.headers or {})
    return response


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
