"""What every benchmark needs of the machine: processes on a chosen core, their own CPU time and memory.

CPU time of a process family is what the kernel charged it, so a noisy neighbour hardly matters; shares and ratios
against a peer in the same run are what the tables show.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from config.redis import RedisClient

# The clock of a process by its id, as clock_getcpuclockid(3) makes it; /proc counts in ticks of 10 ms.
_CPUCLOCK_SCHED: Final = 2
_PIN: Final = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execv(sys.argv[2], sys.argv[2:])"
CORES: Final = sorted(os.sched_getaffinity(0))
SERVER_CORE: Final = CORES[0]
CROWD_CORE: Final = CORES[-1]


def family(pid: int) -> list[int]:
    """The process and everything below it, itself first."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found.extend(int(child) for child in (task / "children").read_text().split())
    return found


def cpu_s(pid: int) -> float:
    """User and system time of the family so far, in seconds, to the nanosecond."""
    total = 0.0
    for member in family(pid):
        with contextlib.suppress(OSError):  # it has ended
            total += time.clock_gettime(~member << 3 | _CPUCLOCK_SCHED)
    return total


def pss_kib(pid: int) -> int:
    """Memory of the family in KiB, each shared page divided among those who share it."""
    total = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


async def redis_pid(redis: RedisClient) -> int:
    """The process of a Redis on this machine."""
    server: Any = redis
    return int((await server.info("server"))["process_id"])


@contextlib.contextmanager
def moved(pids: Sequence[int], core: int) -> Iterator[None]:
    """Keeps processes (0: this one) on one core for the length of the block, so that the other is the server's own."""
    before = {}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            before[pid] = os.sched_getaffinity(pid)
            os.sched_setaffinity(pid, {core})
    try:
        yield
    finally:
        for pid, cores in before.items():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(pid, cores)


@contextlib.asynccontextmanager
async def process(
    command: Sequence[str], core: int | None, environment: Mapping[str, str] | None = None, *, output: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs a command on one core (None: any) for the length of the block; it is ended by its id, killed after 10 s."""
    child = await asyncio.create_subprocess_exec(
        *(() if core is None else (sys.executable, "-c", _PIN, str(core))),
        *command,
        env={**os.environ, **(environment or {})},
        stdout=asyncio.subprocess.DEVNULL if output is None else output,
        stderr=asyncio.subprocess.DEVNULL if output is None else None,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), 10)
            except TimeoutError:
                child.kill()
                await child.wait()


async def listening(port: int, within_s: float = 20) -> None:
    """Waits until something accepts connections on the port; raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
