"""One stream of server-sent events: a client whose request says everything, and who hears blocks in place of frames.

It takes over the socket of a client that asked for it (rt/sockets/handshake.py). What would be a close frame, an error
or a `gap` for a socket refuses it by status or, once it has begun, ends it: the reader comes back with the `id` of what
it heard last, and is told the rest.
"""

import secrets
from collections.abc import Mapping
from time import monotonic, time
from typing import Final

import orjson
from websockets.http11 import Request

from config.addresses import host_name, names_us
from config.errors import (
    ApiError,
    BadInput,
    Forbidden,
    Internal,
    MethodNotAllowed,
    RateLimited,
    RetryLater,
    Unauthenticated,
)
from rt.auth.tokens import Access
from rt.clients.client import Client
from rt.clients.effects import Join
from rt.clients.gateway import UPGRADE_AGAIN_S, Gateway
from rt.clients.session import Session
from rt.clients.stream_session import StreamSession
from rt.sockets import handshake
from rt.sockets.connection import OPEN
from rt.wire import outbound, sse, sse_request
from rt.wire.closes import Closing, GraphqlClosing
from rt.wire.frames import payload_of
from rt.wire.sse_request import Asked

__all__ = ["EventStream"]

RETRY_MS: Final = (1_000, 5_000)  # for a stream that is cut: each its own time, so that a crowd does not come at once
_METHODS: Final = "GET, HEAD"
_NO_HEADERS: Final[Mapping[str, str]] = {}  # the same object for all
_HEADERS: Final = ("authorization", "cache-control", "content-type", "last-event-id", "x-request-id")
_BEGINS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx, whatever its configuration
    "X-Content-Type-Options": "nosniff",
}
_MORE: Final = "Nothing may follow the request"
_CLOSINGS: Final[Mapping[Closing | GraphqlClosing, ApiError]] = {
    Closing.TOKEN_EXPIRED: Unauthenticated("The token has expired"),
    Closing.BAD_TOKEN: Unauthenticated("The token is not valid"),
    Closing.REVOKED: Unauthenticated("The session has ended"),
    Closing.TOO_MANY_CONNECTIONS: RateLimited("Too many connections of this user", UPGRADE_AGAIN_S),
    Closing.BAD_MESSAGE: BadInput(_MORE),
    Closing.INTERNAL: Internal(),
}
_CODES: Final[Mapping[str, ApiError]] = {
    "FORBIDDEN": Forbidden("This channel may not be joined"),
    "UNAVAILABLE": RetryLater("It is not known yet who may join"),
}


class EventStream(Client):
    """See the module. Until it has begun, it waits for the key that its token names."""

    __slots__ = ("_begun", "_cors", "_epoch", "_is_head")

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._begun = False  # the head is out
        self._cors = _NO_HEADERS
        self._epoch = ""
        self._is_head = False

    def begin(self, request: Request, rest: bytes) -> None:
        """The answer to the request, and the stream if it may be; `rest` was said behind it."""
        self._is_head = request.method == "HEAD"
        try:
            asked = self._asked(request, rest)
        except ApiError as error:
            self._refuse(error)
            return
        if asked is None:
            self._end(self._preflight())
            return
        self.phase = OPEN
        self._open(asked)

    # --- the request

    def _asked(self, request: Request, rest: bytes) -> Asked | None:
        """What is asked for, once there is a place for it; None: whether a page of another origin may ask. Raises
        ApiError."""
        gateway, headers = self._gateway, request.headers
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            raise MethodNotAllowed
        if rest:
            raise BadInput(_MORE)
        if not names_us(host_name(headers.get("Host", "")) or "", gateway.hosts):
            raise BadInput("This host is not served here; ALLOWED_ORIGINS names those that are")
        origins = headers.get_all("Origin")
        allowed = gateway.rules.origins
        if origins and allowed is not None and (len(origins) > 1 or origins[0] not in allowed):
            raise Forbidden("This origin may not call the gateway")
        self._cors = _cors(origins[0]) if origins else _NO_HEADERS
        if request.method == "OPTIONS":
            if not origins or "Access-Control-Request-Method" not in headers:
                raise MethodNotAllowed
            return None
        query = request.path.partition("?")[2]
        asked = sse_request.read(query, headers.get_all("Authorization"), headers.get_all("Last-Event-ID"))
        refusal = self.admit(request)
        if refusal is not None:
            raise refusal
        return asked

    def _open(self, asked: Asked) -> None:
        now, gateway = monotonic(), self._gateway
        gateway.facts.unix_offset = time() - now  # its token is judged by the clock as it is, also after a step
        gateway.counters.streamed += 1
        gateway.lobby.upgrade(self, self._group)
        session = StreamSession(secrets.token_urlsafe(16), asked, gateway.facts, now, gateway.awake.now(), self._origin)
        self.session = session
        for message in session.says(asked):
            if not gateway.admission.keeps(self, message):
                self._decide(message, now)

    def _preflight(self) -> bytes:
        allowed = ", ".join((*_HEADERS, *self._gateway.allowed_headers))
        more = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": allowed,
            "Access-Control-Max-Age": "600",
        }
        return _head("204 No Content", {**self._cors, **more})

    def _refuse(self, error: ApiError) -> None:
        headers = dict(self._cors)
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if error.status == 405:
            headers["Allow"] = _METHODS
        self._end(handshake.refused(error, headers, body=not self._is_head))

    # --- out

    def send(self, data: bytes) -> None:
        """Ready frames, as the blocks that say the same; of those that have none, what follows from them."""
        if self.phase != OPEN or not data:
            return
        gateway = self._gateway
        made = gateway.renditions.find(self._epoch, data)
        if made is None:
            kind = sse.kind_of(data)
            if kind not in sse.TOLD:
                self._hear(kind, data)
                return
            made = gateway.renditions.make(self._epoch, data)
        super().send(made)

    def _hear(self, kind: bytes, frame: bytes) -> None:
        if kind == b"error":
            code = orjson.loads(payload_of(frame))["code"]
            if self._begun:
                self._finish(code)
            else:
                self._refuse(_CODES.get(code, RetryLater()))
        elif not self._begun:
            return
        elif kind == b"subscribed":
            self._epoch, told = sse.joined(payload_of(frame))
            super().send(told)
        elif kind == b"reconnect":
            super().send(sse.retry(orjson.loads(payload_of(frame))["after_ms"]))
        elif kind == b"unsubscribed":
            self._finish(orjson.loads(payload_of(frame))["reason"])
        elif kind == b"gap":
            self._finish("gap")
        elif kind == b"":  # a ping
            super().send(sse.COMMENT)

    def close(self, closing: Closing | GraphqlClosing) -> None:
        """The end, for the reason that a socket would be told."""
        session = self.session
        if session is not None:
            session.close(closing)
        if self.phase == OPEN:
            self._gateway.count_close(closing, session)
            if self._begun:
                self._finish(closing.reason)
            else:
                self._refuse(_CLOSINGS.get(closing, RetryLater(retry_after_s=UPGRADE_AGAIN_S)))

    def _finish(self, why: str) -> None:
        self._end(sse.comment(why))

    # --- what the session decided

    def _join(self, join: Join) -> None:
        low, high = RETRY_MS
        head = _head("200 OK", {**_BEGINS, **self._cors})
        self._begun, self._cors, self._batch = True, _NO_HEADERS, []
        self.write(head)
        if self._is_head:
            self._end(b"")
            return
        self.write(sse.retry(int(low + (high - low) * self._gateway.chance())))
        if self._gateway.facts.degraded:
            self.send(outbound.STATUS[True])
        super()._join(join)
        if self._batch is not None:
            self._release()

    def _appear(self, session: Session, access: Access, now: float) -> None:
        """It is in no presence."""

    # --- in

    def data_received(self, data: bytes) -> None:
        """Nothing may follow the request."""
        if self.phase == OPEN:
            self.close(Closing.BAD_MESSAGE)
        else:
            super().data_received(data)


def _head(status: str, headers: Mapping[str, str]) -> bytes:
    lines = (f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items()), "Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _cors(origin: str) -> Mapping[str, str]:
    """As the API's (config/serving/http.py)."""
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "retry-after",
        "Vary": "Origin",
    }
