"""`python -m worker`: the relay, the jobs, and /health, /ready, /metrics beside them. Starts and stays up without its
stores.

`python -m worker audit [--whole]` audits the books once, `jobs` says what ran and what is next, `run JOB` runs one now.
"""

import argparse
import asyncio
import socket
import sys
from typing import Final

from config import metrics, redis
from config.crashes import crashes
from config.db import postgres
from config.db.slow import slow
from config.process import Lifetime, configure_logging, run
from config.serving.server import listen, make_server
from config.settings import Settings, load
from config.tracing import traces
from worker.audit import audit_once, watch_audits
from worker.http import application
from worker.jobs.commands import run_job, show_jobs
from worker.jobs.every import JOBS
from worker.jobs.runner import Runner
from worker.relay import Relay

_CLOSE_S: Final = 1.5


def main() -> None:
    """Reads the settings, takes the port, relays; or does what a word asks for, and ends."""
    asked = _words()
    settings = load()
    if asked.command is not None:
        settings.require("worker_database_url")
        configure_logging(asked.command, settings.log_level)
        sys.exit(asyncio.run(_command(settings, asked)))
    settings.require("worker_database_url", "redis_url")
    listener = listen(settings.worker_host, settings.worker_port, "WORKER_PORT")

    async def work(lifetime: Lifetime) -> None:
        await _work(settings, listener, lifetime)

    run("worker", settings.log_level, work)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m worker", description="The worker; without a word: relay and jobs.")
    commands = parser.add_subparsers(dest="command")
    audit = commands.add_parser("audit", help="audits the books, what came since the last time")
    extent = audit.add_mutually_exclusive_group()
    extent.add_argument("--since", action="store_true", help="what came since the last audit (the default)")
    extent.add_argument("--whole", action="store_true", help="audits everything")
    commands.add_parser("jobs", help="what runs when, when it ran last, and how that went")
    commands.add_parser("run", help="runs a job now").add_argument("job", choices=sorted(JOBS))
    return parser.parse_args()


async def _command(settings: Settings, asked: argparse.Namespace) -> int:
    match asked.command:
        case "audit":
            return await audit_once(settings, whole=asked.whole)
        case "jobs":
            return await show_jobs(settings)
        case _:
            return await run_job(settings, asked.job)


async def _work(settings: Settings, listener: socket.socket, lifetime: Lifetime) -> None:
    """Until `lifetime.stopping`; then the relay finishes its batch and gives its lease back."""
    crashes.start("worker", settings)
    traces.start("worker", settings)
    pool = postgres.make_pool(settings, settings.worker_database_url)
    client = redis.connect(settings.redis_url.get_secret_value())
    server = make_server(application(settings, pool, client, lifetime), settings)
    relay = Relay(pool, client)

    metrics.observe_pool(pool, lambda: 0)  # the relay is the only caller
    lifetime.spawn("postgres connect", postgres.connect(pool))
    lifetime.spawn("slow_statements", slow.run(pool, settings.slow_statement_ms))
    lifetime.spawn("redis metrics", metrics.watch_redis(client))
    lifetime.spawn("relay listen", relay.listen())
    lifetime.spawn("relay measure", relay.measure())
    lifetime.spawn("audits", watch_audits(pool))
    lifetime.spawn("jobs", Runner(pool, settings, JOBS).run())
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
