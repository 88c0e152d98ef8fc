"""HTTP/1.1 over one connection: uvicorn's protocol with what it lacks.

One request at a time: llhttp is given no more than one message, and the next only when the answer before has left.
So nothing is ever left in the parser that could become somebody's request. Heads are judged by head.py, and
connections.py says who gets in and who is ended.
"""

import socket
import struct
from contextlib import suppress
from enum import Enum, auto
from typing import Any, Final

import orjson
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from config import metrics
from config.errors import ApiError, BadInput, RateLimited
from config.limits import HEAD_BYTES_MAX, HTTP_HEADERS_MAX, HTTP_UNSENT_BYTES_HIGH
from config.serving.connections import Connections, Place
from config.serving.head import CHUNKED, BadHead, judged, without_upgrade
from config.serving.joined import Joined

_HEAD_END: Final = b"\r\n\r\n"
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_LEFT: Final = frozenset({7, 8, 9})  # states of TCP_INFO: CLOSE, CLOSE_WAIT, LAST_ACK


class _Stage(Enum):
    """What the next byte belongs to."""

    HEAD = auto()
    BODY = auto()
    CHUNKS = auto()
    ANSWER = auto()  # the next request: it waits until the answer before has left
    OVER = auto()  # nothing


class HttpProtocol(HttpToolsProtocol):
    """One connection. `scope["state"]` says `full` of a request that came through the reserve, and `whole` once all of
    its body is here."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._all = connections
        self._stage = _Stage.HEAD
        self._reserve = False
        self._head_bytes = 0
        self._tail = b""  # the end of a head so far, in case its end lies across two reads
        self._left = 0  # bytes of the body to come
        self._upgrade = False
        self._overrun = False
        self._pending = b""  # of further requests, from _pending_at on
        self._pending_at = 0
        self._joined: Joined  # of the answer that is being made

    # --- what the transport says

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=HTTP_UNSENT_BYTES_HIGH)
        place = self._all.enter(self, self.client[0] if self.client else "unknown")
        self._reserve = place is Place.RESERVE
        if place is Place.REFUSED:
            self._refuse(RateLimited("Too many connections of one address are open"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stage, self._pending = _Stage.OVER, b""
        self._all.leave(self)
        super().connection_lost(exc)

    def eof_received(self) -> None:
        self._stage = _Stage.OVER
        if self.unsent():
            self._all.unread(self)

    def data_received(self, data: bytes) -> None:
        self._read(data, 0)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._all.unread(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.transport.is_closing():
            return  # the rest is watched until it has gone too
        self._all.read(self)
        if self._stage is _Stage.ANSWER and self.cycle.response_complete:
            self._next()

    # --- what Connections asks

    def shed(self) -> None:
        self._stage = _Stage.OVER
        if self.unsent():
            self._all.unread(self)
        self.transport.close()

    def cut(self) -> None:
        self._stage = _Stage.OVER
        sock: socket.socket | None = self.transport.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):
                # A reset: the kernel too forgets what nobody reads.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    def unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def has_left(self) -> bool:
        sock: socket.socket | None = self.transport.get_extra_info("socket")
        try:
            return sock is not None and sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _LEFT
        except OSError:
            return True

    # --- one message after the other

    def _read(self, data: bytes, at: int) -> None:
        while at < len(data):
            if self._stage is _Stage.HEAD:
                end = self._head_end(data, at)
                self._head_bytes += end - at
                if self._head_bytes > HEAD_BYTES_MAX:
                    self._refuse(BadInput("The head of the request is too big"))
                    return
            elif self._stage is _Stage.BODY:
                end = min(at + self._left, len(data))
                self._left -= end - at
            elif self._stage is _Stage.CHUNKS:
                end = len(data)
            else:
                break
            self._feed(data[at:end])
            at = end
        if self._stage is _Stage.ANSWER and at < len(data):
            self._keep(data, at)
        elif self._stage is _Stage.HEAD:
            self._all.begun(self)

    def _head_end(self, data: bytes, at: int) -> int:
        if self._tail:
            across = (self._tail + data[at : at + 3]).find(_HEAD_END)
            if across >= 0:
                end = at + across + len(_HEAD_END) - len(self._tail)
                self._tail = b""
                return end
        found = data.find(_HEAD_END, at)
        if found < 0:
            self._tail = (self._tail + data[max(at, len(data) - 3) :])[-3:]
            return len(data)
        self._tail = b""
        return found + len(_HEAD_END)

    def _feed(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except HttpParserUpgrade:
            # llhttp would read no body and take what follows for another protocol: it reads the head again without.
            self._upgrade = False
            method = self.parser.get_method()
            version = self.parser.get_http_version()
            self.parser = HttpRequestParser(self)
            self._feed(without_upgrade(method, version, self.url, self.headers))
        except HttpParserError as error:
            if self._overrun:
                self.cycle.keep_alive = False
                self._stage = _Stage.OVER
            else:
                why = error.__context__
                self._refuse(BadInput(str(why) if isinstance(why, BadHead) else "This is no well-formed request"))

    def _keep(self, data: bytes, at: int) -> None:
        """Lays aside what was sent before the answer had left; who sends too much of it gets no answer to that."""
        if self._pending:
            data, at = self._pending[self._pending_at :] + data[at:], 0
        size = len(data) - at
        if not self._all.pipelined(self, size):
            self._pending = b""
            self._stage = _Stage.OVER
            self.cycle.keep_alive = False
            if self.cycle.response_complete:
                self.shed()
            return
        self._pending, self._pending_at = data, at
        if size > HEAD_BYTES_MAX:
            self.flow.pause_reading()

    def _next(self) -> None:
        self._stage, self._head_bytes = _Stage.HEAD, 0
        self.flow.resume_reading()
        if self._pending:
            data, at, self._pending = self._pending, self._pending_at, b""
            self._all.caught_up(self)
            self._read(data, at)
        else:
            self._all.idle(self)

    # --- what llhttp says

    def on_message_begin(self) -> None:
        if self._stage is not _Stage.HEAD:
            # Behind chunks the end is known too late to stop before it: such a connection ends with its answer.
            self._overrun = True
            raise BadHead("A second message in one")
        super().on_message_begin()
        if self._reserve:
            self.scope["state"]["full"] = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._stage is not _Stage.HEAD:
            # A trailer is no header (RFC 9110, 6.5.1): nobody has seen it who decided on the head.
            self._head_bytes += len(name) + len(value)
            if self._head_bytes > HEAD_BYTES_MAX:
                raise BadHead("The trailers of the request are too big")
            return
        super().on_header(name, value)
        if len(self.headers) > HTTP_HEADERS_MAX:
            raise BadHead("The head of the request is too big")

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise BadHead("This is no proxy")
            self._upgrade = True
            return
        self._left = judged(self.parser.get_http_version(), self.url, self.headers)
        self._stage = _Stage.CHUNKS if self._left == CHUNKED else _Stage.BODY
        self._all.busy(self)
        super().on_headers_complete()
        if self._reserve:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if self._stage in (_Stage.BODY, _Stage.CHUNKS):
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._upgrade or self._stage is _Stage.OVER:
            return
        super().on_message_complete()
        self._stage = _Stage.ANSWER
        self.scope["state"]["whole"] = True

    # --- answers

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._joined = cycle.transport = Joined(cycle.transport, cycle)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        self._joined.flush()
        self.server_state.total_requests += 1
        if self.transport.is_closing() or self._stage is not _Stage.ANSWER:
            # Also where the rest of a body is still to come: it is never read as a request.
            self.shed()
        elif not self.flow.write_paused:
            self._next()

    def _refuse(self, error: ApiError) -> None:
        """Answers what never became a request, and ends. An answer that has begun is cut instead."""
        self._pending = b""
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                self.cut()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        metrics.HTTP_REQUESTS.labels("unknown", "unmatched", error.status).inc()
        shown = {"code": error.code, "message": error.message, "statusCode": error.status}
        body = orjson.dumps({"error": shown})
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        if error.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % error.retry_after_s))
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[error.status] + lines + b"\r\n" + body)
        self.shed()
