"""`make run`: the whole product on one machine, for one developer. Production uses config/deploy instead.

The stores are ours unless DATABASE_URL or REDIS_URL name others; the three processes come from the Procfile by honcho,
which stops all when one of them ends.
"""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from config.addresses import from_here
from config.embedded import child
from config.embedded.errors import StoreError
from config.embedded.stores import Stores
from config.listening import trouble
from config.prctl import adopt_orphans, die_with_parent
from config.secret_files import SUFFIX
from config.settings import Settings, load

ROOT: Final = Path(__file__).resolve().parents[2]
DEVELOPMENT: Final = {"MAP_K": "1,1,1", "MAP_SETTLED_S": "0", "RT_DRAIN_S": "3"}
ROLES: Final = ("rt", "api", "worker")
POLL_S: Final = 0.1
MIGRATE_S: Final = 120.0
READY_S: Final = 60.0
STOP_S: Final = 7.0  # of the ten that a stop may take; the rest is for the stores


class RunError(Exception):
    """Why the product does not run; one line for the person at the terminal."""


class Run:
    """One `make run`, from the first check to the last process gone."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._stores: Stores | None = None
        self._honcho: subprocess.Popen[bytes] | None = None

    def on_signal(self, *_: object) -> None:
        """Asks to stop; a second signal skips the polite waits."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    def whole(self, settings: Settings) -> None:
        """Returns after a signal, everything stopped. Raises RunError or StoreError, everything stopped as well."""
        _check_ports(settings)
        env = _environment(settings)
        try:
            self._stores = Stores(
                settings.data_dir.resolve(),
                postgres=not settings.database_url.get_secret_value(),
                valkey=not settings.redis_url.get_secret_value(),
            )
            self._stores.start()
            for name, url in self._stores.urls().items():
                env[name] = url
                env.pop(f"{name}{SUFFIX}", None)
            self._migrate(env)
            for name in ("DATABASE_OWNER_URL", f"DATABASE_OWNER_URL{SUFFIX}"):
                env.pop(name, None)  # nobody who serves may own the tables
            if not self._stopping.is_set():
                self._serve(settings, env)
        finally:
            self._stop()

    def _migrate(self, env: Mapping[str, str]) -> None:
        if not env.get("DATABASE_OWNER_URL") and not env.get(f"DATABASE_OWNER_URL{SUFFIX}"):
            _say("DATABASE_OWNER_URL is not set: `make migrate` is taken to have been run on DATABASE_URL")
            return
        migrate = child.start([sys.executable, "-m", "api.migrate"], folder=ROOT, env=env, at_our_death=signal.SIGTERM)
        end = time.monotonic() + MIGRATE_S
        while migrate.poll() is None and not self._stopping.wait(POLL_S):
            if time.monotonic() > end:
                raise RunError(f"the migrations took more than {MIGRATE_S:.0f} s")
        if migrate.returncode:
            raise RunError("the database could not be migrated: see above")

    def _serve(self, settings: Settings, env: Mapping[str, str]) -> None:
        # No environment file: honcho would read .env by itself, and settings come from the environment alone.
        self._honcho = child.start(
            [sys.executable, "-m", "honcho", "start", "-e", os.devnull],
            folder=ROOT,
            env=env,
            at_our_death=signal.SIGTERM,
        )
        end = time.monotonic() + READY_S
        waiting = {role: _address(settings, role) for role in ROLES}
        while not self._stopping.wait(POLL_S):
            if self._honcho.poll() is not None:
                raise RunError("a process ended, and the others with it: see above")
            if self._stores is not None:
                self._stores.watch()
            child.reap_orphans({self._honcho.pid, *self._store_pids()})
            if not waiting:
                continue
            waiting = {role: address for role, address in waiting.items() if not _ready(address)}
            if not waiting:
                host, port = _address(settings, "api")
                _say(f"\nMuscleMap Live is ready: http://{host}:{port}/   (Ctrl-C stops it)\n")
            elif time.monotonic() > end:
                raise RunError(f"not ready after {READY_S:.0f} s: {', '.join(waiting)}")

    def _stop(self) -> None:
        if self._honcho is not None and self._honcho.poll() is None:
            self._honcho.terminate()
            end = time.monotonic() + STOP_S
            while self._honcho.poll() is None and time.monotonic() < end and not self._hurry.wait(POLL_S):
                pass
        child.end_descendants(self._store_pids())
        if self._stores is not None:
            self._stores.stop()

    def _store_pids(self) -> set[int]:
        servers = () if self._stores is None else (self._stores.postgres, self._stores.valkey)
        return {server.pid for server in servers if server is not None and server.pid is not None}


def _environment(settings: Settings) -> dict[str, str]:
    """The environment of the three processes: ours, with the defaults of development and the programs of .venv."""
    env = dict(os.environ)
    for name, value in DEVELOPMENT.items():
        env[name] = env.get(name) or value
    env["DATA_DIR"] = str(settings.data_dir.resolve())
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"
    env["PYTHONUNBUFFERED"] = "1"
    return env


def _check_ports(settings: Settings) -> None:
    seen: dict[int, str] = {}
    for role in ROLES:
        port: int = getattr(settings, f"{role}_port")
        name = f"{role.upper()}_PORT"
        if port in seen:
            raise RunError(f"{name} and {seen[port]} are both {port}: set one of them to another port")
        seen[port] = name
        found = trouble(getattr(settings, f"{role}_host"), port, name)
        if found is not None:
            raise RunError(found)


def _address(settings: Settings, role: str) -> tuple[str, int]:
    host: str = getattr(settings, f"{role}_host")
    return from_here(host), getattr(settings, f"{role}_port")


def _ready(address: tuple[str, int]) -> bool:
    connection = http.client.HTTPConnection(*address, timeout=2)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _say(line: str) -> None:
    with suppress(OSError):  # nobody listens any more; what follows still has to happen
        print(line, flush=True)


def main() -> int:
    """0 after a signal, 1 with one line of reason otherwise."""
    run = Run()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, run.on_signal)
    if "--die-with-parent" in sys.argv[1:]:
        die_with_parent(signal.SIGTERM)
    adopt_orphans()
    try:
        run.whole(load())
    except (RunError, StoreError) as error:
        with suppress(OSError):
            print(error, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
