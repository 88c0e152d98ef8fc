"""A machine that slept: all clocks went on, and nobody could say or hear that people are still there."""

import time
from collections.abc import AsyncIterator

import pytest

from config.limits import PRESENCE_OUTAGE_HOLD_S, PRESENCE_TTL_S
from config.redis import RedisClient, connect
from config.settings import Settings
from rt.presence.keeper import Keeper
from rt.presence.local import PRESENCE_TICK_S, LocalPresence
from rt.presence.members import Member
from rt.presence.rules import ClockGuard
from rt.presence.store import PresenceStore, partition_keys
from rt.presence.training import TrainingStore

SETTINGS = Settings(presence_partitions=1)
CELL = "871f1d489ffffff"
MEMBERS = partition_keys(0)[0]


class Clock:
    """Of the gateway and the keeper, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, guard: ClockGuard) -> None:
        """For longer than anybody's time. Redis' clock went on as well, so its guard finds nothing odd."""
        self.now_s += PRESENCE_TTL_S
        guard.changed(guard._run_id or "", int(time.time() * 1_000), int(self.now_s * 1_000))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = connect(redis_url)
    yield client
    await client.aclose()


async def test_the_keeper_takes_nobody_before_gateways_have_heard_and_written(redis: RedisClient, clock: Clock) -> None:
    """Seen failing while only the sweep of gateways waited: taken in the first turn."""
    keeper, gateway = Keeper(redis, SETTINGS, monotonic=clock), PresenceStore(redis, "gw", 1)
    await keeper.turn()
    await gateway.renew_lease()
    await gateway.apply([Member("c1", "user-1", CELL, 1, "online", "everyone", True, 0)])
    clock.sleep(keeper._guard)
    for _ in range(PRESENCE_OUTAGE_HOLD_S - 1):
        clock.now_s += 1
        await keeper.turn()
    assert (await redis.zcard(MEMBERS), keeper.stats["reaped"]) == (1, 0)
    for _ in range(3):
        clock.now_s += 1
        await keeper.turn()
    assert (await redis.zcard(MEMBERS), keeper.stats["reaped"]) == (0, 1)


async def test_a_gateway_writes_everybody_again(redis: RedisClient, clock: Clock) -> None:
    """Also where its lease was kept, by a keeper that slept too. What they said meanwhile is read before its first
    tick: seen failing while that was too soon after a touch that lay before, and said nothing new."""
    local = LocalPresence(PresenceStore(redis, "gw", 1), TrainingStore(redis, 1), monotonic=clock)
    await local.turn()
    local.join("c1", "user-1", audience="everyone", settled=True, ttl_s=PRESENCE_TTL_S)
    clock.now_s += PRESENCE_TICK_S
    await local.turn()
    before = await redis.zscore(MEMBERS, "c1")
    clock.sleep(local._guard)
    local.sign_of_life("c1")
    for _ in range(4):
        clock.now_s += PRESENCE_TICK_S
        await local.turn()
    assert (local.written, local.false_offline) == (2, 0)
    assert (await redis.zscore(MEMBERS, "c1") or 0) > (before or 0)
