"""`python -m api`: the API on API_HOST and API_PORT, until SIGTERM.

One process, or API_PROCESSES of them that accept from one listener: what waits in it is served by whoever is there.
"""

import asyncio
import socket
from functools import partial
from typing import Final

import structlog
import uvicorn

from api.app import Api
from config.board import Board
from config.crashes import crashes
from config.process import Lifetime, allow_open_files, configure_logging, run
from config.serving.server import listen, make_server
from config.settings import Settings, load
from config.supervisor import Children, supervise
from config.tracing import traces

log = structlog.get_logger()

WARM_S: Final = 3.0  # a child that others stand in for accepts nothing before it is warm, or so much later
_LOOK_S: Final = 0.02


def main() -> None:
    """Reads the settings, takes the port, serves."""
    settings = load()
    settings.require("database_url", "redis_url", in_production=("jwt_private_key", "cookie_secure", "allowed_origins"))
    listener = listen(settings.api_host, settings.api_port, "API_PORT")
    files = allow_open_files()
    if settings.api_processes == 1:
        _live(settings, listener, files, None)
        return
    configure_logging("api", settings.log_level)
    log.info("supervising", processes=settings.api_processes, port=settings.api_port, open_files=files)
    board = Board(settings.api_processes)

    def child(row: int) -> None:
        board.adopt(row)
        _live(settings, listener, files, board)

    children: Children = {row: partial(child, row) for row in range(settings.api_processes)}
    supervise(children, listener.close)


def _live(settings: Settings, listener: socket.socket, files: int, board: Board | None) -> None:
    """The whole life of one process, which ends with it. `board`: of those that live beside it."""

    async def serve(lifetime: Lifetime) -> None:
        crashes.start("api", settings)
        traces.start("api", settings, trusting=False)
        api = Api(settings, board)
        await _serve(api, make_server(api.application, settings, files), listener, lifetime, alone=board is None)

    run("api", settings.log_level, serve)


async def _serve(api: Api, server: uvicorn.Server, listener: socket.socket, lifetime: Lifetime, *, alone: bool) -> None:
    api.start(lifetime)
    if not alone:
        await _warm(api, lifetime)
    served = lifetime.spawn("http", server.serve(sockets=[listener]))

    async def hurry() -> None:
        await lifetime.hurry.wait()
        server.force_exit = True

    lifetime.spawn("hurry", hurry())
    await lifetime.stopping.wait()
    # Not ready first, then no new connections, then what is in flight; uvicorn does the last two.
    api.readiness.stopping = True
    server.should_exit = True
    await served
    await api.close()


async def _warm(api: Api, lifetime: Lifetime) -> None:
    """Returns when the API has in memory what requests need, is to end, or after WARM_S."""
    for _ in range(round(WARM_S / _LOOK_S)):
        if api.warm or lifetime.stopping.is_set():
            return
        await asyncio.sleep(_LOOK_S)


if __name__ == "__main__":
    main()
