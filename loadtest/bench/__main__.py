"""`make bench`: the benchmarks in one run on this machine, printed as tables and kept in loadtest/results/.

`python -m loadtest.bench [NAME …]`: only these. 100k, 1m, years, jobs, apps, api, whole run only when they are named.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import uvloop

from config.embedded.stores import Stores
from config.redis import connect as connect_redis
from config.settings import Settings
from loadtest.bench import (
    api,
    apps,
    bus,
    connect,
    delivery,
    fanout,
    graphql,
    hold,
    host,
    jobs,
    kept,
    latency,
    ledger,
    peers,
    presence,
    presence_map,
    report,
    rows,
    streams,
    tracing,
    visit,
    whole,
)
from loadtest.bench import years as years_bench
from loadtest.bench.fanout import Load, Server
from loadtest.bench.identity import Identity

_HERE: Final = Path(__file__).parent.parent
RESULTS: Final = Path(os.environ.get("BENCH_RESULTS", _HERE / "results"))
Rows = list[dict[str, Any]]

# The loads of the comparison: few clients, slow feed, fast feed, many clients.
LOADS: Final = (Load(100, 150, 10), Load(1000, 1500, 100), Load(1000, 20_000, 2000), Load(15_000, 100, 5))
# Of a peer's row: this gateway's figure through the peer's.
COMPARED: Final = {"cpu_us_per_delivery": "cpu, ours/its", "p50_ms": "p50, ours/its", "p99_ms": "p99, ours/its"}


async def bench_fanout(environment: Mapping[str, str]) -> Rows:
    """This gateway beside the peers that are installed, the same crowd for each."""
    redis_url = environment["REDIS_URL"]
    identity = Identity()
    rows: Rows = []
    redis = connect_redis(redis_url)
    try:
        with host.moved((0, await host.redis_pid(redis)), host.CROWD_CORE):
            for load in LOADS:
                servers = (fanout.gateway(identity, load.clients), *peers.installed(redis_url))
                rows += report.beside([await _fanout_row(server, load, redis_url) for server in servers], COMPARED)
        rows += [{"server": name, "failed": "not installed"} for name in peers.absent(redis_url)]
    finally:
        await redis.aclose()
    for load in LOADS:
        of_load = [row for row in rows if row.get("events_per_s") == load.rate and "cpu_us_per_delivery" in row]
        values = [(row["server"], row["cpu_us_per_delivery"]) for row in of_load]
        title = f"CPU per delivery: {load.clients} clients, {load.rate:g} events/s"
        _keep(f"fanout-{load.clients}-{load.rate:g}.svg", report.svg(title, values, "µs"))
    memory = [(row["server"], row["kib_per_connection"]) for row in rows if row.get("events_per_s") == LOADS[-1].rate]
    _keep("memory.svg", report.svg(f"Memory per connection: {LOADS[-1].clients} clients", memory, "KiB"))
    return rows


async def _fanout_row(server: Server, load: Load, redis_url: str) -> dict[str, Any]:
    print(f"fanout: {server.name}, {load.clients} clients, {load.rate:g} events/s", file=sys.stderr)
    try:
        return await fanout.run(server, load, redis_url)
    except (TimeoutError, ValueError) as error:
        return {"server": server.name, "clients": load.clients, "failed": type(error).__name__}


async def bench_latency(environment: Mapping[str, str]) -> Rows:
    """Latency against load, as a table and as one picture."""
    rows = await latency.run(environment)
    figures = {name: latency.series(rows, figure) for name, figure in (("p50", "p50_ms"), ("p99", "p99_ms"))}
    _keep("latency.svg", report.lines(f"Latency against load: {latency.CLIENTS} clients", "ms", figures))
    return rows


async def bench_ledger(_environment: Mapping[str, str]) -> Rows:
    """The service function beside pgbench with the same statements one by one."""
    return await ledger.run(Settings())


async def bench_rows(_environment: Mapping[str, str]) -> Rows:
    """What row level security costs."""
    return await rows.run(Settings())


BENCHES: Final[Mapping[str, Callable[[Mapping[str, str]], Awaitable[Rows]]]] = {
    "delivery": delivery.run,
    "ledger": bench_ledger,  # after it: it leaves more events to number than a feed has in a day
    "rows": bench_rows,
    "fanout": bench_fanout,
    "latency": bench_latency,
    "graphql": graphql.run,
    "bus": bus.run,
    "connect": connect.run,
    "presence": presence.run,
    "kept": kept.run,
    "tracing": tracing.run,
    "streams": streams.run,
    "map": presence_map.run,
    "visit": visit.run,
}
# Only when named: minutes, most of the memory of a small machine, or a database of their own.
LONG: Final[Mapping[str, Callable[[Mapping[str, str]], Awaitable[Rows]]]] = {
    "100k": hold.bench_100k,
    "1m": hold.bench_1m,
    "years": years_bench.run,
    "jobs": jobs.run,
    "api": api.run,
    "apps": apps.run,
    "whole": whole.run,
}


def _keep(name: str, content: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(content, "utf-8")


async def _run(names: Sequence[str], environment: Mapping[str, str]) -> None:
    busy = os.getloadavg()[0]  # by others: before there is any load of ours
    for name in names:
        rows = await {**BENCHES, **LONG}[name](environment)
        print(f"\n{name}\n{report.text(rows)}", flush=True)
        _keep(f"{name}.md", f"{_measured(busy)}\n\n{report.markdown(rows)}\n")


def _measured(busy: float) -> str:
    """What was measured, when and on what, and how busy that was before."""
    code = _git("rev-parse", "--short", "HEAD") or "no commit"
    if _git("status", "--porcelain", "--untracked-files=no", "--", "*.py", "*.lua", "*.sql"):
        code += " and changes"
    on = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{time.strftime('%Y-%m-%d')}, {code}: {on}, load average {busy:.1f} before."


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=_HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main() -> None:
    """Starts stores of its own, durable as in `make run`, and runs what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[[], *BENCHES, *LONG], help=f"which benchmarks; none: all but {', '.join(LONG)}"
    )
    names = parser.parse_args().names or list(BENCHES)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o711)  # the account of the stores must reach its own folder in it
        stores = Stores(Path(folder))
        stores.start()
        try:
            urls = stores.urls()
            os.environ.update(urls)
            subprocess.run([sys.executable, "-m", "api.migrate"], check=True)
            uvloop.run(_run(names, urls))
        finally:
            stores.stop()


if __name__ == "__main__":
    main()
