"""What a gateway process costs that does nothing."""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import gateway, until

# Measured: 9.4 MiB on Linux 6.18 with glibc 2.36. Another kernel or allocator may lay pages out a little worse.
OWN_KIB_MAX = 10 * 1024


def own_kib(pid: int) -> int:
    """Memory that this process shares with no other."""
    figures = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return sum(int(size) for name, size, _ in figures if name in ("Private_Clean:", "Private_Dirty:"))


async def test_an_idle_child_owns_little(redis_url: str, tmp_path: Path) -> None:
    """Seen to fail at 14.4 MiB when the supervisor forked without a warm-up."""
    async with gateway(redis_url, tmp_path, RT_PROCESSES="2") as gate:
        await until(lambda: len(gate.fleet.rt.children()) == 3)
        await asyncio.sleep(1)  # its start-up work is over; a process that grows at rest is to be seen
        owned = [own_kib(pid) for pid in gate.fleet.rt.children()]
        assert max(owned) < OWN_KIB_MAX, owned


@pytest.fixture
def few_files() -> Iterator[None]:
    """The limit of a usual shell, which processes started here inherit."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_child_may_open_what_the_system_allows(few_files: None, redis_url: str, tmp_path: Path) -> None:
    """Seen failing with a supervisor that leaves the limit as it finds it."""
    async with gateway(redis_url, tmp_path) as gate:
        await until(lambda: len(gate.fleet.rt.children()) == 2)
        for pid in gate.fleet.rt.children():
            soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            assert soft == hard
