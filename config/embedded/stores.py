"""PostgreSQL and Valkey together, for one DATA_DIR: found, started, watched, stopped."""

import json
import secrets
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final, TextIO

from config.embedded.account import home, unprivileged
from config.embedded.errors import StoreError
from config.embedded.folder import lock
from config.embedded.ports import HOST, free_port
from config.embedded.postgres import OWNER, ROLES, WORKER, Passwords, PostgresServer
from config.embedded.valkey import ValkeyServer

RESTARTS_MAX: Final = 10  # of both stores together ...
RESTARTS_WINDOW_S: Final = 60  # ... in this time; more is no accident
RESTART_TRIES: Final = 20  # a killed PostgreSQL's shared memory is busy until its last process has seen the end
RESTART_WAIT_S: Final = 0.25
LOOK_S: Final = 2.0


class Stores:
    """The embedded stores of a DATA_DIR. Only one process at a time may have them."""

    def __init__(self, data_dir: Path, *, postgres: bool = True, valkey: bool = True, durable: bool = True) -> None:
        self._data_dir = data_dir
        self._durable = durable
        self._wanted = (postgres, valkey)
        self._lock: TextIO | None = None
        self._restarts: deque[float] = deque()
        self.postgres: PostgresServer | None = None
        self.valkey: ValkeyServer | None = None

    def start(self) -> None:
        """Returns when the stores answer and the roles and the database are there. Raises StoreError."""
        try:
            self._start()
        except OSError as error:
            if error.filename is None:
                raise
            raise StoreError(f"{error.filename}: {error.strerror}: set DATA_DIR to a folder of your own") from None

    def _start(self) -> None:
        account = unprivileged()
        folder = home(self._data_dir, account)
        self._lock = lock(self._data_dir)
        known = _Known(self._data_dir / "stores.json")
        wants_postgres, wants_valkey = self._wanted
        try:
            if wants_valkey:
                self.valkey = ValkeyServer(
                    folder / "valkey", port=known.port("redis"), password=known.password("redis"), account=account
                )
                self.valkey.start()
            if wants_postgres:
                self.postgres = PostgresServer(
                    folder / "postgres",
                    port=known.port("postgres"),
                    passwords=Passwords({role: known.password(role) for role in ROLES}),
                    account=account,
                    durable=self._durable,
                )
                self.postgres.start()
                self.postgres.prepare()
        except BaseException:
            self.stop()
            raise

    def urls(self) -> dict[str, str]:
        """The settings that lead to the stores, by the names of their environment variables."""
        urls = {}
        if self.postgres is not None:
            urls["DATABASE_URL"] = self.postgres.url()
            urls["WORKER_DATABASE_URL"] = self.postgres.url(WORKER)
            urls["DATABASE_OWNER_URL"] = self.postgres.url(OWNER)
        if self.valkey is not None:
            urls["REDIS_URL"] = self.valkey.url
        return urls

    def watch(self) -> None:
        """Starts a store again that has ended, on its old port. Call it often; raises StoreError when that fails."""
        for name, store in (("PostgreSQL", self.postgres), ("Valkey", self.valkey)):
            if store is None or store.pid is not None:
                continue
            now = time.monotonic()
            while self._restarts and self._restarts[0] < now - RESTARTS_WINDOW_S:
                self._restarts.popleft()
            if len(self._restarts) >= RESTARTS_MAX:
                raise StoreError(f"{name} ended again and again; its log is {store.log}")
            self._restarts.append(now)
            print(f"{name} ended: starting it again", file=sys.stderr, flush=True)
            _start_again(store)

    def stop(self) -> None:
        """Stops both, PostgreSQL cleanly. May be called at any time and again."""
        for store in (self.postgres, self.valkey):
            if store is not None:
                store.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def started(data_dir: Path) -> dict[str, str]:
    """The settings that lead to the stores that another process has started for this DATA_DIR. Raises StoreError."""
    path = data_dir / "stores.json"
    try:
        known = json.loads(path.read_text("utf-8"))
        passwords = Passwords({role: known[f"{role}_password"] for role in ROLES})
        found = Stores(data_dir)
        found.postgres = PostgresServer(data_dir, port=int(known["postgres_port"]), passwords=passwords)
        found.valkey = ValkeyServer(data_dir, port=int(known["redis_port"]), password=known["redis_password"])
        for store in (found.postgres, found.valkey):
            socket.create_connection((HOST, store.port), timeout=LOOK_S).close()
    except PermissionError:
        raise StoreError(f"{path} is another user's: be the one who started it") from None
    except (OSError, KeyError, ValueError):
        raise StoreError(f"nothing runs on {data_dir}: `make run` or `make stores` starts it") from None
    return found.urls()


def _start_again(store: PostgresServer | ValkeyServer) -> None:
    for tries_left in reversed(range(RESTART_TRIES)):
        try:
            store.start()
        except StoreError:
            if not tries_left:
                raise
            time.sleep(RESTART_WAIT_S)
        else:
            return


class _Known:
    """What was chosen at the first start: passwords, which never change, and ports, which are kept while free."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._values: dict[str, str] = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            self._values = {}
        except ValueError:
            raise StoreError(f"{path} is damaged: `make clean-data` forgets the data and starts anew") from None

    def password(self, name: str) -> str:
        return self._value(f"{name}_password", self._values.get(f"{name}_password") or secrets.token_hex(24))

    def port(self, name: str) -> int:
        return int(self._value(f"{name}_port", str(free_port(int(self._values.get(f"{name}_port", "0"))))))

    def _value(self, name: str, value: str) -> str:
        if self._values.get(name) != value:
            self._values[name] = value
            draft = self._path.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(self._values), "utf-8")
            draft.rename(self._path)
        return value
