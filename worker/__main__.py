"""`python -m worker`: the relay, and /health, /ready, /metrics beside it. Starts and stays up without its stores."""

import asyncio
import socket
from typing import Final

from api.server import listen, make_server
from config import metrics, postgres, redis
from config.process import Lifetime, run
from config.settings import Settings, load
from worker.http import application
from worker.relay import Relay

_CLOSE_S: Final = 1.5


def main() -> None:
    """Reads the settings, takes the port, relays."""
    settings = load()
    settings.require("database_url", "redis_url")
    listener = listen(settings.worker_host, settings.worker_port, "WORKER_PORT")

    async def work(lifetime: Lifetime) -> None:
        await _work(settings, listener, lifetime)

    run("worker", settings.log_level, work)


async def _work(settings: Settings, listener: socket.socket, lifetime: Lifetime) -> None:
    """Until `lifetime.stopping`; then the relay finishes its batch and gives its lease back."""
    pool = postgres.make_pool(settings)
    client = redis.connect(settings.redis_url.get_secret_value())
    server = make_server(application(settings, pool, client, lifetime), settings)
    relay = Relay(pool, client)

    metrics.observe_pool(pool, lambda: 0)  # the relay is the only caller
    lifetime.spawn("postgres connect", postgres.connect(pool))
    lifetime.spawn("redis metrics", metrics.watch_redis(client))
    lifetime.spawn("relay listen", relay.listen())
    lifetime.spawn("relay measure", relay.measure())
    serving = lifetime.spawn("http", server.serve(sockets=[listener]))
    relaying = lifetime.spawn("relay", relay.run(lifetime.stopping))

    await lifetime.stopping.wait()
    await asyncio.wait([relaying])
    server.should_exit = True
    await asyncio.wait([serving])
    await postgres.close(pool, _CLOSE_S)
    await client.aclose()


if __name__ == "__main__":
    main()
