"""`python -m api`: the API on API_HOST and API_PORT, until SIGTERM."""

import socket

import uvicorn

from api.app import Api
from config.crashes import crashes
from config.process import Lifetime, allow_open_files, run
from config.serving.server import listen, make_server
from config.settings import load
from config.tracing import traces


def main() -> None:
    """Reads the settings, takes the port, serves."""
    settings = load()
    settings.require("database_url", "redis_url", in_production=("jwt_private_key", "cookie_secure", "allowed_origins"))
    listener = listen(settings.api_host, settings.api_port, "API_PORT")
    files = allow_open_files()

    async def serve(lifetime: Lifetime) -> None:
        crashes.start("api", settings)
        traces.start("api", settings, trusting=False)
        api = Api(settings)
        await _serve(api, make_server(api.application, settings, files), listener, lifetime)

    run("api", settings.log_level, serve)


async def _serve(api: Api, server: uvicorn.Server, listener: socket.socket, lifetime: Lifetime) -> None:
    api.start(lifetime)
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


if __name__ == "__main__":
    main()
