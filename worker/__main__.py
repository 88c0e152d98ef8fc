"""`python -m worker`: the relay, and /health, /ready, /metrics beside it. Starts and stays up without its stores.

`python -m worker audit [--whole]` audits the books once.
"""

import argparse
import asyncio
import socket
import sys
from typing import Final

from config import metrics, redis
from config.db import postgres
from config.process import Lifetime, configure_logging, run
from config.serving.server import listen, make_server
from config.settings import Settings, load
from worker.audit import audit_once, watch_audits
from worker.http import application
from worker.partitions import keep_partitions
from worker.relay import Relay
from worker.retention import keep_terms

_CLOSE_S: Final = 1.5


def main() -> None:
    """Reads the settings, takes the port, relays; or audits and ends."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="The worker; without a word: the relay.")
    parser.add_argument("command", nargs="?", choices=["audit"], help="audits the books, what came since the last time")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--since", action="store_true", help="what came since the last audit (the default)")
    extent.add_argument("--whole", action="store_true", help="audits everything")
    words = parser.parse_args()
    settings = load()
    if words.command == "audit":
        settings.require("worker_database_url")
        configure_logging("audit", settings.log_level)
        sys.exit(asyncio.run(audit_once(settings, whole=words.whole)))
    if words.whole or words.since:
        parser.error("--since and --whole belong to audit")
    settings.require("worker_database_url", "redis_url")
    listener = listen(settings.worker_host, settings.worker_port, "WORKER_PORT")

    async def work(lifetime: Lifetime) -> None:
        await _work(settings, listener, lifetime)

    run("worker", settings.log_level, work)


async def _work(settings: Settings, listener: socket.socket, lifetime: Lifetime) -> None:
    """Until `lifetime.stopping`; then the relay finishes its batch and gives its lease back."""
    pool = postgres.make_pool(settings, settings.worker_database_url)
    client = redis.connect(settings.redis_url.get_secret_value())
    server = make_server(application(settings, pool, client, lifetime), settings)
    relay = Relay(pool, client)

    metrics.observe_pool(pool, lambda: 0)  # the relay is the only caller
    lifetime.spawn("postgres connect", postgres.connect(pool))
    lifetime.spawn("redis metrics", metrics.watch_redis(client))
    lifetime.spawn("relay listen", relay.listen())
    lifetime.spawn("relay measure", relay.measure())
    lifetime.spawn("audits", watch_audits(pool))
    lifetime.spawn("partitions", keep_partitions(pool))
    lifetime.spawn("retention", keep_terms(pool, settings))
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
