"""One Valkey for this machine: a cache, so nothing of it is written to disk."""

import signal
import socket
import subprocess
from pathlib import Path
from typing import Final

from config.embedded import binaries, child
from config.embedded.account import Account, own, runnable
from config.embedded.ports import HOST

START_S: Final = 10.0
MEMORY: Final = "512mb"  # some 200,000 people; README, "How much memory Redis needs"
STOP: Final = ((signal.SIGTERM, 2.0),)


class ValkeyServer:
    """A server on 127.0.0.1; `start`, `stop` and `kill` may follow each other any number of times, on one port."""

    def __init__(self, folder: Path, *, port: int, password: str, account: Account | None = None) -> None:
        self.folder = folder
        self.port = port
        self.log = folder / "valkey.log"
        self._password = password
        self._account = account
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for any client, password included."""
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The process, when it runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self) -> None:
        """Returns when the server answers. Raises StoreError with the reason."""
        own(self.folder, self._account)
        program = runnable(binaries.valkey(), self._account, self.folder.parent / "programs")
        # By standard input: a command line can be read by every user of the machine.
        settings = (
            f"bind {HOST}\nport {self.port}\nrequirepass {self._password}\n"
            'save ""\nappendonly no\ndaemonize no\nmaxclients 20000\ntcp-backlog 511\n'
            f"maxmemory {MEMORY}\nmaxmemory-policy noeviction\n"
        )
        self._child = child.start(
            [str(program), "-"],
            log=self.log,
            folder=self.folder,
            account=self._account,
            at_our_death=signal.SIGTERM,
            standard_input=settings.encode(),
        )
        child.wait_until(self._answers, self._child, name="Valkey", log=self.log, limit_s=START_S)

    def stop(self) -> None:
        """Ends the server; does nothing when it does not run."""
        if self._child is not None:
            child.stop(self._child, STOP)

    def kill(self) -> None:
        """Ends the server as a crash would."""
        if self._child is not None:
            child.stop(self._child, ())

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                return b"+PONG" in _read(connection)
        except OSError:
            return False


def _read(connection: socket.socket) -> bytes:
    answer = b""
    while answer.count(b"\r\n") < 2 and (more := connection.recv(1024)):
        answer += more
    return answer
