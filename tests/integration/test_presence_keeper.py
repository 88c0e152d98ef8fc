"""The keeper against real Redis: who is taken away and when, and what it never takes."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from h3.api import basic_str as h3

from config.limits import GATEWAY_LEASE_LATE_S, PRESENCE_OUTAGE_HOLD_S, PRESENCE_TTL_S
from config.redis import RedisClient, connect
from config.settings import Settings
from rt.map import geometry, read
from rt.map.tiles import MapView
from rt.map.writers import ONLINE_SLOT
from rt.presence import rules
from rt.presence.keeper import MAP_HOLD_S, Keeper
from rt.presence.keeper_store import KEEPER_KEY, KeeperStore
from rt.presence.members import Member, Transition
from rt.presence.recount import compare
from rt.presence.store import GATEWAYS_KEY, PresenceStore, partition_keys
from rt.wire.bus import decode_presence, encode_presence
from rt.wire.channels import bus_channel, profile_channel
from tests.support.presence_view import Screen, frame_text, hear

PARTITIONS = 4
CELL = "871f1d489ffffff"
TOWN = [cell for cell in h3.cell_to_children(h3.cell_to_parent(CELL, 5), 7) if cell != CELL] * 5
SETTINGS = Settings(presence_partitions=PARTITIONS)


class Clock:
    """The keeper's own clock, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def person(number: int, *, device: int = 0, ttl_s: int = PRESENCE_TTL_S, **changes: Any) -> Member:
    """A settled, public user at CELL."""
    member = Member(f"c{number}-{device}", f"user-{number}", CELL, 1, "online", "everyone", True, ttl_s)
    return Member(**{name: changes.get(name, getattr(member, name)) for name in member.__struct_fields__})


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keeper(redis: RedisClient, clock: Clock) -> Keeper:
    made = Keeper(redis, SETTINGS, monotonic=clock)
    await made.turn()
    return made


@pytest.fixture
def gateway(redis: RedisClient) -> PresenceStore:
    return PresenceStore(redis, "gw-a", PARTITIONS)


@pytest.fixture
def other(redis: RedisClient) -> PresenceStore:
    return PresenceStore(redis, "gw-b", PARTITIONS)


async def turn(keeper: Keeper, clock: Clock, seconds: float = 1.0) -> None:
    """Time passes in steps that a living keeper makes."""
    while seconds > 0:
        clock.now_s += min(seconds, 1.0)
        seconds -= 1.0
        await keeper.turn()


async def totals(redis: RedisClient) -> tuple[int, int]:
    hashes = [await redis.hmget(partition_keys(n)[5], "users", "training") for n in range(PARTITIONS)]
    return sum(int(users or 0) for users, _ in hashes), sum(int(training or 0) for _, training in hashes)


async def test_two_devices_on_two_gateways_and_one_closes(
    redis: RedisClient, gateway: PresenceStore, other: PresenceStore
) -> None:
    """Seen failing with a leave that removes the user's record whole."""
    assert await gateway.apply([person(1, state="training")]) == [Transition("user-1", "training")]
    assert await other.apply([person(1, device=1)]) == []
    assert await totals(redis) == (1, 1)
    assert await gateway.leave([("c1-0", "user-1")]) == [Transition("user-1", "online")]
    assert await totals(redis) == (1, 0)
    assert await other.leave([("c1-1", "user-1")]) == [Transition("user-1", "offline")]
    assert await totals(redis) == (0, 0)


async def test_a_touch_names_those_that_must_be_written_again(gateway: PresenceStore) -> None:
    await gateway.apply([person(1), person(2)])
    assert await gateway.touch([("c1-0", "user-1", 120), ("c3-0", "user-3", 300), ("c2-0", "user-2", 300)]) == ["c3-0"]


async def test_a_member_whose_time_has_passed_is_taken_and_announced_once(
    redis: RedisClient, gateway: PresenceStore, keeper: Keeper, clock: Clock
) -> None:
    """Also that Lua and Python write the same presence on the bus."""
    channel = bus_channel(profile_channel("user-1"))
    async with hear(redis, channel) as heard:
        await gateway.apply([person(1, ttl_s=0), person(2, ttl_s=0, audience="nobody")])
        await turn(keeper, clock, 3)
        payloads = await heard(2)
    words = [payload.split() for _, payload in payloads]
    assert [word[2] for word in words] == [b"online", b"offline"]
    again = [encode_presence("user-1", word[2].decode(), int(word[3])) for word in words]
    assert [payload for _, payload in payloads] == again
    assert all(decode_presence(payload) for _, payload in payloads)
    assert await totals(redis) == (0, 0)
    assert keeper.stats["reaped"] == 2


async def test_a_killed_gateways_people_are_taken_and_the_others_stay(
    redis: RedisClient, gateway: PresenceStore, other: PresenceStore, keeper: Keeper, clock: Clock
) -> None:
    """Seen failing with a sweep that does not look at the gateway of a member. The lease is made old by hand."""
    await gateway.renew_lease()
    await other.renew_lease()
    crowd = [person(n) for n in range(150)]
    await gateway.apply(crowd)
    await other.apply([person(n, device=1) for n in range(5)])
    async with hear(redis, "rt:{musclemap:profile:*}", pattern=True) as heard:
        await age_lease(redis, gateway.gateway)
        await turn(keeper, clock, 2)
        payloads = await heard(145)
        await turn(keeper, clock, 2)
        assert await heard(0) == []
    assert {payload.split()[2] for _, payload in payloads} == {b"offline"}
    assert len({payload.split()[1] for _, payload in payloads}) == 145
    assert await totals(redis) == (5, 0)
    assert await redis.zscore(GATEWAYS_KEY, "gw-a.0") is None


async def test_a_gateway_that_was_given_up_takes_another_name_and_its_members_survive_the_sweep(
    redis: RedisClient, gateway: PresenceStore, keeper: Keeper, clock: Clock
) -> None:
    """Seen failing with a name that stays: members written again were swept with the old ones."""
    await gateway.renew_lease()
    await gateway.apply([person(1), person(2)])
    await age_lease(redis, gateway.gateway)
    upkeep = KeeperStore(redis, "k", PARTITIONS)
    ((name, silent_s),) = await upkeep.late_gateways(int(time.time() * 1_000))
    assert (name, int(silent_s)) == ("gw-a.0", GATEWAY_LEASE_LATE_S)  # given up, and the sweep has not begun
    assert not (await gateway.renew_lease()).kept
    await gateway.apply([person(1), person(2)])
    await turn(keeper, clock, 2)
    assert await totals(redis) == (2, 0)
    assert keeper.stats["swept"] == 0
    assert gateway.gateway == "gw-a.1"
    assert (await gateway.renew_lease()).kept


async def test_a_clock_that_jumped_takes_nobody_while_gateways_write_back(
    redis: RedisClient, gateway: PresenceStore, keeper: Keeper, clock: Clock
) -> None:
    """Redis' clock leaves ours by two minutes. Seen failing without the guard."""
    await turn(keeper, clock, 2)
    await gateway.renew_lease()
    await gateway.apply([person(1, ttl_s=0)])
    await age_lease(redis, gateway.gateway)
    keeper._guard.changed(keeper._run_id, 0, 0)  # as if Redis had been two minutes elsewhere until now
    await turn(keeper, clock, PRESENCE_OUTAGE_HOLD_S - 1)
    assert await totals(redis) == (1, 0)
    await turn(keeper, clock, 3)
    assert keeper.stats["swept"] == 1


async def test_the_clock_of_a_partition_never_goes_back(redis: RedisClient, gateway: PresenceStore) -> None:
    """A Redis two minutes behind: what a touch gives counts from the newest time that was seen."""
    keys = partition_keys(rules.partition_of("user-1", PARTITIONS))
    await gateway.apply([person(1)])
    now_ms = int(await redis.hget(keys[7], "newest") or 0)
    await redis.hset(keys[7], "newest", str(now_ms + 120_000))
    await gateway.touch([("c1-0", "user-1", 60)])
    assert await redis.zscore(keys[0], "c1-0") == now_ms + 180_000


async def test_another_server_is_not_believed_at_once(
    redis: RedisClient, gateway: PresenceStore, keeper: Keeper, clock: Clock
) -> None:
    """A keeper that starts on a Redis which is not the one whose scores were believed."""
    await turn(keeper, clock)
    await keeper._store.resign()
    await redis.set("presence:guard", "another-run-id")
    await gateway.apply([person(1, ttl_s=0)])
    second = Keeper(redis, SETTINGS, monotonic=clock)
    await second.turn()
    await turn(second, clock, PRESENCE_TTL_S - 1)
    assert await totals(redis) == (1, 0)
    await turn(second, clock, 3)
    assert await totals(redis) == (0, 0)


async def test_a_paused_keeper_changes_nothing_when_it_wakes(
    redis: RedisClient, gateway: PresenceStore, keeper: Keeper, clock: Clock
) -> None:
    """Seen failing without the fence in reap.lua."""
    await turn(keeper, clock)
    await redis.hset(KEEPER_KEY, "until", "0")  # its lease has run out while it was paused
    second = Keeper(redis, SETTINGS, monotonic=Clock())
    await second.turn()
    await gateway.apply([person(1, ttl_s=0)])
    keeper._lead_at_s = clock.now_s + 60  # it does not know yet
    await turn(keeper, clock)
    assert await totals(redis) == (1, 0)
    assert keeper._term == 0
    await turn(keeper, clock, 2)
    assert keeper._term == 0


async def test_a_recount_finds_repairs_and_reports_what_is_wrong(
    redis: RedisClient, gateway: PresenceStore, keeper: Keeper, clock: Clock
) -> None:
    await gateway.apply([person(n) for n in range(20)])
    keys = partition_keys(rules.partition_of("user-3", PARTITIONS))
    await redis.hincrby(keys[3], CELL, 3)
    await redis.hdel(keys[4], CELL)
    await redis.hincrby(keys[5], "training", 2)
    await redis.hset(keys[2], "user-3", "- oes c3-0")
    await redis.zadd(keys[0], {"orphan": 9e15})
    for _ in range(2 * PARTITIONS):
        await keeper._recount()
    assert keeper.stats["recount_difference"] >= 5
    for partition in range(PARTITIONS):
        assert compare(await keeper._store.snapshot(partition)).size == 0
    assert await totals(redis) == (20, 0)


async def test_the_map_reaches_viewers_and_readers_by_the_rule(
    redis: RedisClient, gateway: PresenceStore, keeper: Keeper, clock: Clock
) -> None:
    """A town with 40 settled people in one cell, and 4 far away: coarse resolutions at once, the fine ones later."""
    view = MapView(redis, gather_s=0)
    screen = Screen()
    box = geometry.bounds(13.0, 52.0, 14.0, 53.0)
    far = "871f8d7acffffff"
    async with hear(redis, *view.channels()) as heard:
        await gateway.apply([person(n) for n in range(40)] + [person(n, cell=far) for n in range(40, 44)])
        await gateway.apply([person(1_000 + n, cell=cell) for n, cell in enumerate(TOWN)])
        seen = geometry.view(box, 2)
        screen.watch(view, seen.resolution, seen.tiles)
        await turn(keeper, clock, 3)
        await view.load(list(view._wanted))
        assert set(screen.tiles) == set(seen.tiles)
        await gateway.apply([person(n, state="training") for n in range(100, 215)])
        await turn(keeper, clock, 6)
        for channel, payload in await heard(4):
            view.on_message(channel, payload)
    assert (await read.totals(redis)) == (399, 115)
    assert frame_text(screen.frames[ONLINE_SLOT][-1])["users"] == 399
    coarse = await read.cells(redis, box, 2)
    assert coarse.resolution == 2
    assert screen.cells() == dict(coarse.cells)
    assert max(dict(coarse.cells).values()) in (100, 200)  # of 395
    await turn(keeper, clock, 61)
    fine = await read.cells(redis, geometry.bounds(-180, -60, 180, 70), 2)
    assert far not in str(await redis.hgetall("presence:map:tiles"))
    assert sum(count for _, count in fine.cells) <= 399
    street = await read.cells(redis, _around(CELL), 14)
    assert street.resolution == 7
    assert dict(street.cells).keys() == {CELL}
    assert dict(street.cells)[CELL] in (50, 100)  # of 155, by where the steps begin
    await redis.delete("presence:map:tiles")
    assert (await read.cells(redis, box, 2)).cells == []


async def test_a_redis_that_lost_everything_is_not_shown_as_an_empty_world(
    redis: RedisClient, gateway: PresenceStore, keeper: Keeper, clock: Clock
) -> None:
    """Seen failing without the hold of the map: all tiles went empty before the members were back."""
    crowd = [person(n, cell=cell) for n, cell in enumerate(TOWN)]
    await gateway.apply(crowd)
    await turn(keeper, clock, 3)
    before = await redis.hgetall("presence:map:tiles")
    await redis.flushall()
    async with hear(redis, "presence:map") as heard:
        await turn(keeper, clock, MAP_HOLD_S / 2)
        await gateway.apply(crowd)
        await turn(keeper, clock, MAP_HOLD_S)
        changes = await heard(1)
    assert b'"cells":[]' not in changes[0][1]
    after = await redis.hgetall("presence:map:tiles")
    del before[b"term"]
    assert before.items() <= after.items()


async def test_only_one_keeper_leads_and_the_next_takes_over(redis: RedisClient, keeper: Keeper) -> None:
    clock = Clock()
    second = Keeper(redis, SETTINGS, monotonic=clock)
    await turn(second, clock, 3)
    assert keeper._term > 0
    assert second._term == 0
    await keeper._store.resign()
    await turn(second, clock, 2)
    assert second._term > keeper._term
    stopping = asyncio.Event()
    stopping.set()
    await second.run(stopping)
    assert (await KeeperStore(redis, "third", PARTITIONS).lead(1)).term > 0


async def age_lease(redis: RedisClient, gateway: str) -> None:
    """As if it had been silent since."""
    score = await redis.zscore(GATEWAYS_KEY, gateway)
    assert score is not None
    await redis.zadd(GATEWAYS_KEY, {gateway: score - GATEWAY_LEASE_LATE_S * 1_000 - 1})


def _around(cell: str) -> geometry.Bounds:
    lat, lng = geometry._centre(cell)
    return geometry.bounds(lng - 0.01, lat - 0.01, lng + 0.01, lat + 0.01)


async def test_a_lease_of_a_clock_that_was_ahead_keeps_nobody_out(redis: RedisClient) -> None:
    """Seen failing with every lease believed whose end is to come: no keeper for two minutes."""
    first, second = KeeperStore(redis, "first", PARTITIONS), KeeperStore(redis, "second", PARTITIONS)
    led = await first.lead(6)
    assert (await second.lead(6)).term == 0
    await redis.hset(KEEPER_KEY, "until", str(led.redis_ms + 120_000))  # then the clock was set back
    assert (await second.lead(6)).term > led.term
    assert (await first.lead(6)).term == 0
