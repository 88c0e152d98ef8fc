"""The real processes, as an operator starts them: `python -m rt`, `-m api`, `-m worker`; to stop, kill and restart."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Final, Self

from config.embedded import child
from config.embedded.ports import HOST, free_port
from tests.support import forks
from tests.support.forks import Forked
from tests.support.stores import ROOT

READY_S: Final = 60.0
STOP_S: Final = 12.0  # R-45 gives ten
POLL_S: Final = 0.02
LOG_CHARS_SHOWN: Final = 4_000


class Service:
    """One role on one port. It may be started again after `stop` and `kill`; its port and its log stay."""

    def __init__(self, role: str, env: Mapping[str, str], folder: Path, under: Sequence[str] = ()) -> None:
        """`under`: a command that runs the role's."""
        self.role = role
        self._under = under
        self.port = int(env[f"{role.upper()}_PORT"])
        self.log = folder / f"{role}.log"
        self._env = dict(env)
        self._process: Popen[bytes] | Forked | None = None

    @property
    def pid(self) -> int:
        """The process that was started last."""
        assert self._process is not None, f"{self.role} was never started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def children(self) -> list[int]:
        """The processes that it has forked, oldest first; the gateway's first has the sockets."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Its first child, or itself where it has none, does not run meanwhile; begins when it surely has stopped."""
        process = next(iter(self.children()), self.pid)
        os.kill(process, signal.SIGSTOP)
        try:
            while Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "T":
                time.sleep(POLL_S)
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def http(self, path: str = "/") -> str:
        """The address of a path of this process."""
        return f"http://{HOST}:{self.port}{path}"

    def launch(self) -> None:
        """Starts the process and returns at once."""
        assert not self.running, f"{self.role} runs already"
        self._process = None if self._under else forks.start(self.role, self._env, self.log)
        if self._process is None:
            self._process = child.start(
                [*self._under, sys.executable, "-m", self.role],
                folder=ROOT,
                env=self._env,
                log=self.log,
                at_our_death=signal.SIGKILL,
            )

    async def start(self) -> None:
        """Starts the process and returns when it is ready."""
        self.launch()
        await self.wait_ready()

    async def wait_ready(self, limit_s: float = READY_S) -> None:
        """Returns when /ready answers 200. Fails, with the end of the log, if the process ends or the limit passes."""
        end = time.monotonic() + limit_s
        status = 0
        while status != 200:
            assert self.running, f"{self.role} ended:\n{self.tail()}"
            assert time.monotonic() < end, f"{self.role} is not ready after {limit_s} s (last {status}):\n{self.tail()}"
            await asyncio.sleep(POLL_S)
            status = await get_status(self.port, "/ready")

    async def stop(self) -> int:
        """Asks the process to end as an operator would; returns its exit code. Fails when it takes over ten seconds."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.terminate()
        end = time.monotonic() + STOP_S
        while (code := self._process.poll()) is None:
            assert time.monotonic() < end, f"{self.role} does not stop:\n{self.tail()}"
            await asyncio.sleep(POLL_S)
        return code

    def kill(self) -> None:
        """kill -9 of the process that was started, not of what it forked."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def clean_up(self) -> None:
        """Leaves nothing of this role running, whatever state it is in."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # it leads a session of its own
            self._process.wait()

    def logged(self, *words: str, limit_s: float = 45) -> str:
        """The first line of the log that has all of these, waited for: a role answers before it writes its line."""
        end = time.monotonic() + limit_s
        while True:
            for line in self.log.read_text("utf-8").splitlines(keepends=True):
                if line.endswith("\n") and all(word in line for word in words):
                    return line
            assert time.monotonic() < end, f"{self.role} has not logged {words} after {limit_s} s:\n{self.tail()}"
            time.sleep(POLL_S)

    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_text("utf-8", errors="replace")[-LOG_CHARS_SHOWN:] if self.log.exists() else ""


class Fleet:
    """Several roles on free ports over the same stores: `async with Fleet(env, folder) as fleet: fleet.api.http()`.

    `env` names the stores (TestStores.environment); `settings` are further settings by their environment names.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        folder: Path,
        *,
        roles: Sequence[str] = ("rt", "api", "worker"),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        ports = {f"{role.upper()}_PORT": str(free_port()) for role in ("rt", "api", "worker")}
        development = {"MAP_K": "1,1,1", "MAP_SETTLED_S": "0", "RT_DRAIN_S": "1", "RT_PROCESSES": "2"}
        self.env = {**env, **ports, **development, "DATA_DIR": str(folder), **(settings or {})}
        self.services = {role: Service(role, self.env, folder) for role in roles}

    @property
    def rt(self) -> Service:
        return self.services["rt"]

    @property
    def api(self) -> Service:
        return self.services["api"]

    @property
    def worker(self) -> Service:
        return self.services["worker"]

    @property
    def ws_url(self) -> str:
        """The address of the gateway's sockets."""
        return f"ws://{HOST}:{self.env['RT_PORT']}/ws"

    async def __aenter__(self) -> Self:
        try:
            for service in self.services.values():
                service.launch()
            for service in self.services.values():
                await service.wait_ready()
        except BaseException:
            self.clean_up()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clean_up()
        if error is not None:
            for service in self.services.values():
                sys.stderr.write(f"--- {service.role}: {service.log}\n{service.tail()}\n")  # pytest shows it

    def clean_up(self) -> None:
        """Leaves nothing running."""
        for service in self.services.values():
            service.clean_up()


async def get_status(port: int, path: str) -> int:
    """The HTTP status of a GET on this machine; 0 when nobody answers within five seconds."""
    writer = None
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
            words = (await reader.readline()).split()
            return int(words[1]) if len(words) > 1 else 0
    except (OSError, TimeoutError, ValueError):
        return 0
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
