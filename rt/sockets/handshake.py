"""The request that opens a socket, or asks for /health: one head in, one answer out. Pure but for the date header.

`websockets` reads and judges the request; what it does not judge (Host, the path, limits) is decided here. Its objects
are let go with every cycle cut, so that reference counts free them.
"""

import http
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import orjson
from websockets import http11
from websockets.datastructures import Headers
from websockets.exceptions import NegotiationError
from websockets.http11 import Request
from websockets.protocol import Protocol, Side, State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from config.addresses import host_name
from config.errors import ApiError, BadInput, Forbidden, MethodNotAllowed, NotFound
from config.limits import HEAD_BYTES_MAX

SUBPROTOCOL: Final = "musclemap.v1"
PATH: Final = "/ws"
STREAM_PATH: Final = "/api/v1/feed/stream"
# `websockets` reads no request that has a body: of one to a stream the method alone is told.
_NO_STREAM: Final = re.compile(
    rb"(?!GET |HEAD )([A-Z]{1,16}) (%b(?:\?[!-~]*)?) HTTP/1\.[01]\r\n" % re.escape(STREAM_PATH.encode())
)

_KEPT: Final = ("Upgrade", "Sec-WebSocket-Version")  # of a refusal of `websockets`: what it would take
NO_HTTP: Final = BadInput("This is not an HTTP request")
HEAD_TOO_LARGE: Final = ApiError("REQUEST_HEADER_FIELDS_TOO_LARGE", "The request's head is too large", 431)

http11.MAX_LINE_LENGTH = HEAD_BYTES_MAX  # of one line, 8 KiB otherwise: cookies are one line

_SILENT: Final = logging.getLogger("rt.websockets")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
_SILENT.setLevel(logging.CRITICAL)


class Page(NamedTuple):
    """An answer to a plain GET."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """What to write. `upgraded`: the socket is open now, at `path`; else close after writing. `stream`: a request for a
    stream, which answers it by itself."""

    data: bytes
    upgraded: bool
    stream: Request | None = None
    path: str = ""


class Rules(NamedTuple):
    """What a listener accepts. `origins` None = any. `pages`: the answer to a GET of a path at a host, or None.
    `streams`: whether requests for a stream are handed over.

    `path` None = any; `others`: more paths of sockets, with the subprotocols that are spoken there.
    """

    path: str | None = PATH
    origins: frozenset[str] | None = None
    subprotocols: tuple[str, ...] = (SUBPROTOCOL,)
    pages: Callable[[str, str], Page | None] = lambda _path, _host: None
    streams: bool = False
    others: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def spoken(self, path: str) -> tuple[str, ...] | None:
        """The subprotocols of a socket at this path; None where there is none."""
        return self.subprotocols if self.path is None or path == self.path else self.others.get(path)


class _Upgrade(ServerProtocol):
    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        """None offered: the client gets ours without being told (RFC 6455 forbids telling it)."""
        if not subprotocols or not self.available_subprotocols:
            return None
        for subprotocol in self.available_subprotocols:
            if subprotocol in subprotocols:
                return subprotocol
        raise NegotiationError(f"this server speaks {', '.join(self.available_subprotocols)}")


def answer(head: bytes, rules: Rules, admit: Callable[[Request], ApiError | None]) -> Answer:
    """Answers one request head that ends with an empty line.

    `admit` is asked last before the upgrade and may refuse it (429, 503).
    """
    protocol = _Upgrade(
        origins=None if rules.origins is None else [None, *(Origin(origin) for origin in sorted(rules.origins))],
        logger=_SILENT,
    )
    try:
        protocol.receive_data(head)
        request = next(iter(protocol.events_received()), None)
        if not isinstance(request, Request):
            other = _NO_STREAM.match(head)
            if other is not None and rules.streams:
                return Answer(b"", upgraded=False, stream=Request(other[2].decode(), Headers(), other[1].decode()))
            written = b"".join(protocol.data_to_send())
            error = _as_told(int(written.split(b" ", 2)[1]), written.partition(b"\r\n\r\n")[2]) if written else NO_HTTP
            return Answer(refused(error), upgraded=False)
        return _route(protocol, request, rules, admit)
    finally:
        let_go(protocol)


def _route(
    protocol: ServerProtocol, request: Request, rules: Rules, admit: Callable[[Request], ApiError | None]
) -> Answer:
    path, _, _ = request.path.partition("?")
    hosts = request.headers.get_all("Host")
    host = host_name(hosts[0]) if len(hosts) == 1 else None
    if not path.startswith("/") or host is None:
        return Answer(refused(BadInput("One path and one well-formed Host header are needed")), upgraded=False)
    if path == STREAM_PATH and rules.streams:
        return Answer(b"", upgraded=False, stream=request)
    spoken = rules.spoken(path)
    if spoken is None:
        found = rules.pages(path, host)
        body = request.method != "HEAD"
        if found is None:
            return Answer(refused(NotFound(), body=body), upgraded=False)
        if request.method not in ("GET", "HEAD"):
            return Answer(refused(MethodNotAllowed(), {"Allow": "GET, HEAD"}), upgraded=False)
        return Answer(page(found, body=body), upgraded=False)
    protocol.available_subprotocols = [Subprotocol(name) for name in spoken]
    response = protocol.accept(request)
    if response.status_code == 101:
        refusal = admit(request)
        if refusal is None:
            return Answer(response.serialize(), upgraded=True, path=path)
        return Answer(refused(refusal), upgraded=False)
    kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
    return Answer(refused(_as_told(response.status_code, response.body), kept), upgraded=False)


def _as_told(status: int, body: bytes | bytearray) -> ApiError:
    """What `websockets` refuses, in its words."""
    message = body.decode(errors="replace").partition("\n")[0]
    match status:
        case 400:
            return BadInput(message)
        case 403:
            return Forbidden(message)
        case 405:
            return MethodNotAllowed(message)
        case _:
            return ApiError(http.HTTPStatus(status).name, message, status)


def refusal_page(error: ApiError) -> Page:
    """In the shape of all errors over HTTP."""
    field = {"field": error.field} if error.field else {}
    said = {"error": {"code": error.code, "message": error.message, "statusCode": error.status, **field}}
    return Page(error.status, orjson.dumps(said), "application/json")


def refused(error: ApiError, headers: Mapping[str, str] | None = None, *, body: bool = True) -> bytes:
    """The whole answer."""
    more = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return page(refusal_page(error), {**(headers or {}), **more}, body=body)


def page(content: Page, headers: Mapping[str, str] | None = None, *, body: bool = True) -> bytes:
    """A whole HTTP/1.1 answer after which the connection closes."""
    lines = [
        f"HTTP/1.1 {content.status} {http.HTTPStatus(content.status).phrase}",
        f"Content-Type: {content.content_type}",
        f"Content-Length: {len(content.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (content.body if body else b"")


def open_protocol(max_size: int) -> Protocol:
    """A `websockets` object for an open socket, to read frames that are not the common one."""
    return Protocol(Side.SERVER, state=State.OPEN, max_size=max_size, logger=_SILENT)


def let_go(protocol: Protocol) -> None:
    """Cuts the cycles of a `websockets` object: its parser refers to it, and so do the tracebacks of its errors."""
    protocol.parser.close()
    for error in (protocol.handshake_exc, protocol.parser_exc):
        cause: BaseException | None = error
        while cause is not None:
            cause.__traceback__ = None
            cause = cause.__cause__ or cause.__context__
