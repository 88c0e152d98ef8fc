"""`python -m loadtest.demo`: the people come, the page lives; it ends by itself or by Ctrl-C.

Uses the server at --host; where none answers there and it is this machine's, starts one as `make run` does.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from locust.env import Environment  # patches the standard library: before whatever imports ssl
from requests import RequestException, get

from config.process import allow_open_files
from config.settings import load
from loadtest.demo.kept import Kept
from loadtest.demo.town import Townsperson
from loadtest.run.counts import counted
from loadtest.run.targets import NotYours, allowed

PEOPLE: Final = 2_000
MINUTES: Final = 60.0
ARRIVE_A_SECOND: Final = 50.0
SAY_EVERY_S: Final = 10.0
READY_S: Final = 180.0
STOP_S: Final = 15.0


def main(words: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    settings = load()
    given = _parser(f"http://127.0.0.1:{settings.api_port}").parse_args(words)
    try:
        allowed(given.host, given.i_own)
    except NotYours as error:
        print(error, file=sys.stderr)
        return 2
    allow_open_files()
    over = Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        gevent.signal_handler(number, over.set)
    folder = settings.data_dir.resolve()
    server = None
    try:
        if not _ready(given.host):
            server = _start_server(given.host, folder)
            if server is None or not _wait(given.host, server, over):
                print(f"no server at {given.host}: see {folder / 'demo.log'}", file=sys.stderr)
                return 0 if over.is_set() else 1
        _run(given, folder / f"demo-people-{urlsplit(given.host).netloc.replace(':', '-')}.json", over)
    finally:
        if server is not None:
            _end(server)
    return 0


def _parser(host: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.demo", description=__doc__)
    parser.add_argument("--host", default=host, help="the page's address (%(default)s)")
    parser.add_argument("--people", type=int, default=PEOPLE, help="how many come in the end (%(default)s)")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="then it ends (%(default)s)")
    parser.add_argument("--i-own", action="append", default=[], metavar="HOST", help="this host is yours")
    return parser


def _run(given: argparse.Namespace, path: Path, over: Event) -> None:
    end = time.monotonic() + given.minutes * 60
    Townsperson.kept = Kept(path)
    environment = Environment(user_classes=[Townsperson], host=given.host)
    environment.parsed_options = argparse.Namespace(i_own=given.i_own)
    runner = environment.create_local_runner()
    print(f"\nOpen {given.host}/ and look: {given.people:,} people are coming. Ctrl-C ends it.\n", flush=True)
    runner.start(given.people, spawn_rate=ARRIVE_A_SECOND)
    try:
        while not over.wait(min(SAY_EVERY_S, max(0.0, end - time.monotonic()))) and time.monotonic() < end:
            failed = environment.stats.total.num_failures
            print(
                f"{Townsperson.here:,} people here, {Townsperson.logged:,} workouts logged, "
                f"{counted['reconnects']:,} reconnects, {failed:,} of {environment.stats.total.num_requests:,} failed",
                flush=True,
            )
    finally:
        Townsperson.kept.save()
        print("The people go home.", flush=True)  # as this process ends: their sockets are its


def _ready(host: str) -> bool:
    try:
        return get(f"{host}/ready", timeout=2).ok
    except RequestException:
        return False


def _start_server(host: str, folder: Path) -> subprocess.Popen[bytes] | None:
    """`make run` on this machine, what it says in a file; None where the host is another's."""
    try:
        allowed(host, ())
    except NotYours:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "config.embedded.run", "--die-with-parent"]
    env = {**os.environ, "API_PORT": str(urlsplit(host).port or 80)}
    print(f"Nothing answers at {host}: starting it, as `make run` does ({folder / 'demo.log'})", flush=True)
    with (folder / "demo.log").open("ab") as log:
        return subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)


def _wait(host: str, server: "subprocess.Popen[bytes]", over: Event) -> bool:
    return _until(lambda: _ready(host), lambda: over.is_set() or server.poll() is not None)


def _until(done: Callable[[], bool], hopeless: Callable[[], bool]) -> bool:
    end = time.monotonic() + READY_S
    while not hopeless() and time.monotonic() < end:
        if done():
            return True
        gevent.sleep(0.3)
    return False


def _end(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    sys.exit(main())
