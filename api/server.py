"""uvicorn, embedded: its sockets, deadlines and limits, and a stop that our own lifetime decides."""

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from httptools import HttpParserError
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config.limits import (
    HTTP_CONNECTIONS_MAX,
    HTTP_HEAD_BYTES_MAX,
    HTTP_HEAD_S,
    HTTP_HEADERS_MAX,
    HTTP_KEEP_ALIVE_S,
    SHUTDOWN_S_MAX,
)

BACKLOG: Final = 2_048
_CLOSE_POOLS_S: Final = 2  # of SHUTDOWN_S_MAX, for what comes after the last answer


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket; a port in use ends the process with one line that says which `setting` to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    # REUSEADDR alone: a restart may take over from TIME_WAIT, and a port that somebody serves is refused.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            sys.exit(f"port {port} is in use: set {setting} to a free one")
        sys.exit(f"cannot listen on {host} port {port}: {error.strerror}")
    listener.setblocking(False)
    return listener


def make_server(app: ASGIApp) -> uvicorn.Server:
    """The server of `app`; run `serve(sockets=[…])` and end it by `should_exit`."""
    config = uvicorn.Config(
        app,
        http=_Protocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # api/http.py has the one rule about proxies
        backlog=BACKLOG,
        limit_concurrency=HTTP_CONNECTIONS_MAX,
        timeout_keep_alive=HTTP_KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S_MAX - _CLOSE_POOLS_S,
    )
    return _Server(config)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to config.process."""
        yield


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with what it lacks: a deadline and limits for the head of a request."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        if self._head_timer is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        self._head_arrived()
        super().on_headers_complete()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HTTP_HEAD_BYTES_MAX or len(self.headers) > HTTP_HEADERS_MAX:
            raise HttpParserError("the head of the request is too big")

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HTTP_HEAD_S, self._head_late)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        self._head_timer = None
        self.transport.close()
