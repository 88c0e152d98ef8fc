"""uvicorn, embedded: its sockets, deadlines and limits, and a stop that our own lifetime decides."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator
from functools import partial
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from config.addresses import networks
from config.limits import HTTP_SWEEP_S, SHUTDOWN_S_MAX, TCP_KEEPALIVE_S, TCP_NOTSENT_LOWAT_BYTES, TCP_USER_TIMEOUT_MS
from config.listening import TCP_NOTSENT_LOWAT, TCP_USER_TIMEOUT, family_of, why_not
from config.serving.connections import Connections
from config.serving.protocol import HttpProtocol
from config.settings import Settings

BACKLOG: Final = 2_048
_CLOSE_POOLS_S: Final = 2  # of SHUTDOWN_S_MAX, for what comes after the last answer
_TICKS_PER_SWEEP: Final = HTTP_SWEEP_S * 10  # uvicorn ticks every 0.1 s


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket; a port in use ends the process with one line that says which `setting` to change."""
    listener = socket.socket(family_of(host), socket.SOCK_STREAM)
    # REUSEADDR alone: a restart may take over from TIME_WAIT, and a port that somebody serves is refused.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # What is accepted inherits these: a peer that is gone or takes nothing shows, and the kernel hides little of it.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, TCP_KEEPALIVE_S)
    listener.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
    listener.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP_NOTSENT_LOWAT_BYTES)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        sys.exit(why_not(error, host, port, setting))
    listener.setblocking(False)
    return listener


def make_server(app: ASGIApp, settings: Settings, files: int | None = None) -> uvicorn.Server:
    """The server of `app`; run `serve(sockets=[…])` and end it by `should_exit`. `files` is how many it may open."""
    connections = Connections(
        settings.connections_per_address_max,
        lenient=settings.loopback_lenient,
        trusted=networks(settings.trusted_proxies),
        files=files,
    )
    config = uvicorn.Config(
        app,
        http=partial(HttpProtocol, connections),  # type: ignore[arg-type]  # whatever makes one is taken
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # config/serving/http.py has the one rule about proxies
        backlog=BACKLOG,
        timeout_graceful_shutdown=SHUTDOWN_S_MAX - _CLOSE_POOLS_S,
    )
    return _Server(config, connections)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections

    async def on_tick(self, counter: int) -> bool:
        """Looks after deadlines of connections, beside what uvicorn does here."""
        if counter % _TICKS_PER_SWEEP == 0:
            if self._connections.awake.tick():
                await asyncio.sleep(0)  # what was asked during a pause is read before anybody is ended
            self._connections.sweep()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to config.process."""
        yield
