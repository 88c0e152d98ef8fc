"""Who trains now: from the heartbeats of two gateways to what GraphQL reads, in a real Redis."""

from collections.abc import AsyncIterator

import pytest

from config.limits import NOW_EVERY_S, NOW_KEPT_S, PRESENCE_TTL_S
from config.redis import RedisClient, connect
from config.settings import Settings
from rt.presence.keeper import Keeper
from rt.presence.local import LocalPresence
from rt.presence.store import PresenceStore
from rt.presence.training import MINUTE_S, Doing, TrainingStore, buckets, published_key
from rt.wire.audience import Audience

PARTITIONS = 4


class Clock:
    """The monotonic clock of everybody, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = connect(redis_url)
    yield client
    await client.aclose()


def train(
    local: LocalPresence, number: int, exercise: str | None, *, audience: Audience = "everyone", settled: bool = True
) -> None:
    """Somebody who joins and says that they train; connections of two gateways may have the same number."""
    connection = f"{id(local)}-{number}"
    local.join(connection, f"user-{number}", audience=audience, settled=settled, ttl_s=PRESENCE_TTL_S)
    local.heartbeat(connection, cell=None, state="training", audience=audience, ttl_s=PRESENCE_TTL_S, exercise=exercise)


async def test_people_are_counted_once_by_minute_and_few_of_a_kind_are_not_shown(redis: RedisClient) -> None:
    """Seven squat on two gateways, two of them on both; four do planks; three of them are not public, young or idle."""
    clock = Clock()
    first, second = (
        LocalPresence(PresenceStore(redis, name, PARTITIONS), TrainingStore(redis, PARTITIONS), monotonic=clock)
        for name in ("gw-a", "gw-b")
    )
    keeper = Keeper(redis, Settings(presence_partitions=PARTITIONS), monotonic=clock)
    for number in range(4):
        train(first, number, "squat")
    for number in range(2, 7):
        train(second, number, "squat")
    for number in range(10, 14):
        train(first, number, "plank")
    train(first, 20, "squat", audience="followers")
    train(second, 21, None)
    train(second, 3, "plank", audience="nobody")  # another device of somebody who squats in public: the strictest holds
    train(first, 22, "plank", settled=False)  # in the total, in no exercise
    for local in (first, second):
        await local.turn()
    clock.now_s += NOW_EVERY_S
    for local in (first, second):  # user-3's record is strict by now; what was told before is told
        await local.turn()
    await keeper.turn()
    *before, now = await buckets(redis, 30)
    assert (now.training, now.exercises) in [(13, {"squat": 5}), (12, {"squat": 5})]  # 12: user-3 was seen too late
    assert [bucket.training for bucket in before] == [0] * 29
    assert now.minute_s % MINUTE_S == 0
    assert [bucket.minute_s for bucket in before] == [now.minute_s - MINUTE_S * n for n in range(29, 0, -1)]
    assert 0 < await redis.ttl(published_key(now.minute_s // MINUTE_S)) <= NOW_KEPT_S


async def test_only_the_record_of_presence_says_who_counts(redis: RedisClient) -> None:
    """Seen failing with everybody counted whom a record knows."""
    store, now = PresenceStore(redis, "gw", PARTITIONS), TrainingStore(redis, PARTITIONS)
    local = LocalPresence(store, now, monotonic=Clock())
    train(local, 1, "squat")
    train(local, 2, "squat", audience="nobody")
    await local.turn()
    assert await now.render(99, 1) == (99 * MINUTE_S, 0, {})
    everybody = [Doing(f"user-{number}", "squat") for number in (1, 2, 3)]  # nobody knows user-3
    await now.tell(99, everybody)
    await now.tell(99, everybody)
    assert await now.render(99, 1) == (99 * MINUTE_S, 1, {"squat": 1})
    assert await now.render(99, 5) == (99 * MINUTE_S, 1, {})
