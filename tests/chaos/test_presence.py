"""How wrong presence is while gateways die, cables are cut and Redis is wiped: the benchmark, held to bounds."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from h3.api.basic_str import latlng_to_cell

from config.limits import CELL_RESOLUTION, PRESENCE_CLOSE_GRACE_S, PRESENCE_TTL_S, SILENT_CLOSE_S
from config.redis import RedisClient, RedisError, connect
from loadtest.bench import presence
from loadtest.bench.presence import PARTITIONS
from rt.presence.local import LocalPresence
from rt.presence.store import PresenceStore
from rt.presence.training import TrainingStore
from tests.support.gateway import until
from tests.support.stores import TestStores

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

PEOPLE = 100_000
BACK_S = 4.5  # 5 s is the promise; 2.5 s is the pace
PING = """
import sys, time
from redis import Redis
redis, took = Redis.from_url(sys.argv[1]), []
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    began = time.perf_counter()
    redis.ping()
    took.append(time.perf_counter() - began)
    time.sleep(0.005)
print(1000 * sorted(took)[len(took) * 99 // 100])
"""

# Fault -> the longest that a ghost may stay. A gateway's lease, the keeper's if it died too, and a look.
GHOST_S = {
    "gateway killed -9": 10.0,
    "connections cut": PRESENCE_CLOSE_GRACE_S + 2.5,
    "silence (cable out)": SILENT_CLOSE_S + PRESENCE_CLOSE_GRACE_S + 2.5,
}


async def test_ghosts_leave_in_time_once_and_nobody_is_called_offline_falsely(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen failing with a sweep of lost gateways every minute."""
    *faults, _ = await presence.run({"REDIS_URL": redis_url})
    with capsys.disabled():
        for row in faults:
            print("\n", row, end="")
    for row in faults:
        assert row["false_offline"] == 0, row
        assert row["announced"] == row["ended"], row
        assert row["announced_twice"] == 0, row
        if row["ended"]:
            assert row["ghost_p99_s"] <= GHOST_S[row["fault"]], row


def waited_s(*pids: int) -> float:
    """How long these processes were ready to run while others had the processors."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) for pid in pids) / 1e9


async def test_a_hundred_thousand_are_written_back_in_time(own_stores: TestStores) -> None:
    """Redis dies and comes back empty; one gateway's memory fills it again, and others still get their answers.

    The time in which other programs had the processors is taken off: the machine may be busy. Seen failing with ticks
    that begin a whole tick after the last one ended.
    """
    valkey = own_stores.valkey
    redis = connect(valkey.url)
    local = LocalPresence(PresenceStore(redis, "chaos", PARTITIONS), TrainingStore(redis, PARTITIONS))
    stopping = asyncio.Event()
    await local.turn()
    cells = [latlng_to_cell(40 + number / 100, number / 50, CELL_RESOLUTION) for number in range(1_000)]
    for number in range(PEOPLE):
        local.join(f"c{number}", f"user-{number}", audience="everyone", settled=True, ttl_s=PRESENCE_TTL_S)
        cell = cells[number % len(cells)]
        local.heartbeat(f"c{number}", cell=cell, state="training", audience="everyone", ttl_s=PRESENCE_TTL_S)
    flusher = asyncio.ensure_future(local.run(stopping))
    try:
        await until(lambda: all_online(redis), 30)
        valkey.kill()
        await until(lambda: local.degraded)
        await asyncio.to_thread(valkey.start)
        assert valkey.pid is not None
        began, waited = time.monotonic(), -waited_s(os.getpid())
        ping = await asyncio.create_subprocess_exec(sys.executable, "-c", PING, valkey.url, "3", stdout=PIPE)
        await until(lambda: all_online(redis), 30)
        took_s = time.monotonic() - began
        waited += waited_s(os.getpid(), valkey.pid)
        assert ping.stdout is not None
        p99_ms = float(await ping.stdout.read())
        await ping.wait()
    finally:
        stopping.set()
        await flusher
        await redis.aclose()
    print(
        f"{PEOPLE} written back {took_s:.1f} s after Redis was there again, {PEOPLE / took_s:.0f} a second; other"
        f" programs had the processors for {waited:.1f} s of it; p99 of a ping of Redis meanwhile {p99_ms:.1f} ms"
    )
    assert took_s - waited < BACK_S
    assert p99_ms < 100


async def all_online(redis: RedisClient) -> bool:
    try:
        return await presence.online(redis) == PEOPLE
    except (RedisError, OSError, TimeoutError):
        return False
