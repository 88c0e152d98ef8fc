"""The map in one gateway: shared frames, late viewers, holes and outages, against a real Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from config.redis import RedisClient, connect
from rt.map.aggregate import TileChange, TileKey, TileState
from rt.map.tiles import MAP_PENDING_PER_TILE_MAX, MapView
from rt.map.writers import ONLINE_SLOT
from rt.presence.keeper_store import KeeperStore
from rt.wire.bus import MAP_CHANNEL, ONLINE_CHANNEL
from rt.wire.map import change, encode
from tests.support.gateway import until
from tests.support.presence_view import Screen, frame_text, hear

TILE, OTHER = TileKey(7, "841f1d5ffffffff"), TileKey(7, "841f1d7ffffffff")
A, B = "871f1d489ffffff", "871f1d48dffffff"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def keeper(redis: RedisClient) -> KeeperStore:
    made = KeeperStore(redis, "k", 1)
    await made.lead(60)
    return made


async def publish(keeper: KeeperStore, version: int, changed: dict[str, int], state: dict[str, int]) -> None:
    change = TileChange(TILE, version, False, list(changed.items()))
    await keeper.publish([change], {TILE: TileState(version, state)})


async def load(view: MapView) -> None:
    await view.load(list(view._wanted))


async def test_viewers_share_one_frame_and_a_late_one_gets_the_whole_tile(
    redis: RedisClient, keeper: KeeperStore
) -> None:
    view, first, second, late = MapView(redis, gather_s=0), Screen(), Screen(), Screen()
    async with hear(redis, *view.channels()) as heard:
        await publish(keeper, 5, {A: 20}, {A: 20})
        await heard(1)
        first.watch(view, 7, [TILE.tile, OTHER.tile])
        second.watch(view, 7, [TILE.tile])
        await load(view)
        await publish(keeper, 6, {A: 0, B: 50}, {B: 50})
        for channel, payload in await heard(1):
            view.on_message(channel, payload)
    late.watch(view, 7, [TILE.tile])
    assert first.tiles == {TILE.tile: {B: 50}, OTHER.tile: {}}
    assert second.tiles == late.tiles == {TILE.tile: {B: 50}}
    assert first.frames[TILE.tile][-1] is second.frames[TILE.tile][-1]
    assert frame_text(late.frames[TILE.tile][0])["whole"] is True
    assert view.whole(7, TILE.tile) is late.frames[TILE.tile][0]
    assert view.loads == 2
    for viewer in (first, second, late):
        view.unwatch(viewer)
    assert not view._tiles
    assert view.whole(7, TILE.tile) is None


async def test_a_change_that_comes_while_the_tile_is_loaded_is_not_lost_or_doubled(
    redis: RedisClient, keeper: KeeperStore
) -> None:
    """The bus is ahead of the load (6, 7 wait for state 5) and behind it (5 is in the state). Seen failing without
    `pending`.
    """
    view, screen = MapView(redis, gather_s=0), Screen()
    screen.watch(view, 7, [TILE.tile])
    await publish(keeper, 5, {A: 20}, {A: 20})
    for version, cells in ((5, [(A, 20)]), (6, [(B, 50)]), (7, [(A, 0)])):
        view.on_message(MAP_CHANNEL, _message(version, cells))
    await load(view)
    assert screen.tiles == {TILE.tile: {B: 50}}
    assert screen.versions == {TILE.tile: 7}
    assert len(screen.frames[TILE.tile]) == 1


async def test_a_hole_and_a_lost_bus_are_filled_from_redis(redis: RedisClient, keeper: KeeperStore) -> None:
    view, screen = MapView(redis, gather_s=0), Screen()
    await publish(keeper, 5, {A: 20}, {A: 20})
    screen.watch(view, 7, [TILE.tile])
    await load(view)
    await publish(keeper, 8, {B: 50}, {B: 50})
    view.on_message(MAP_CHANNEL, _message(8, [(B, 50)]))
    assert screen.tiles == {TILE.tile: {A: 20}}
    await load(view)
    assert screen.tiles == {TILE.tile: {B: 50}}
    await publish(keeper, 9, {B: 0}, {})
    view.resync()
    await load(view)
    assert screen.tiles == {TILE.tile: {}}


async def test_changes_that_wait_for_a_load_are_bounded(redis: RedisClient, keeper: KeeperStore) -> None:
    view, screen = MapView(redis, gather_s=0), Screen()
    screen.watch(view, 7, [TILE.tile])
    for version in range(1, 3 * MAP_PENDING_PER_TILE_MAX):
        view.on_message(MAP_CHANNEL, _message(version, [(A, 20)]))
    assert len(view._tiles[TILE].pending) == MAP_PENDING_PER_TILE_MAX
    await load(view)
    assert TILE in view._wanted  # the hole was seen, and it is loaded again


async def test_a_large_tick_gives_the_loop_turns_and_keeps_the_order_of_each_tile(
    redis: RedisClient, keeper: KeeperStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen failing with the newest frame first."""
    monkeypatch.setattr("rt.map.writers.MAP_SENDS_PER_TURN", 3)
    view, screens = MapView(redis, gather_s=0), [Screen() for _ in range(4)]
    for screen in screens:
        screen.watch(view, 7, [TILE.tile])
    await load(view)
    for _ in range(3):
        await asyncio.sleep(0)
    for version in range(1, 6):
        view.on_message(MAP_CHANNEL, _message(version, [(A, version)]))
    sent = [len(screen.frames[TILE.tile]) for screen in screens]
    assert sent == [2, 2, 2, 1]  # the whole one, and the first change for three sockets: the rest waits
    gone = screens.pop()
    view.unwatch(gone)
    for _ in range(7):
        await asyncio.sleep(0)
    assert [screen.versions[TILE.tile] for screen in screens] == [5] * 3
    assert [screen.tiles for screen in screens] == [{TILE.tile: {A: 5}}] * 3
    assert len(gone.frames[TILE.tile]) == 1


async def test_online_gives_the_loop_turns_too_and_only_the_newest_goes_on(
    redis: RedisClient, keeper: KeeperStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen failing with one write to everybody in one turn, which held 10,000 sockets up for 150 ms."""
    monkeypatch.setattr("rt.map.writers.MAP_SENDS_PER_TURN", 3)
    view, screens = MapView(redis, gather_s=0), [Screen() for _ in range(5)]
    for screen in screens:
        screen.watch(view, 7, [TILE.tile])
    view.tell_online(7, 1)
    assert [len(screen.frames[ONLINE_SLOT]) for screen in screens] == [1, 1, 1, 0, 0]
    view.tell_online(8, 1)
    view.tell_online(9, 1)
    for _ in range(5):
        await asyncio.sleep(0)
    told = [[frame_text(frame)["users"] for frame in screen.frames[ONLINE_SLOT]] for screen in screens]
    assert told == [[7, 9]] * 5


async def test_what_comes_together_goes_out_in_one_write(redis: RedisClient, keeper: KeeperStore) -> None:
    """Seen failing with a write for each frame, which took a sixth of a core for 15,000 viewers."""
    view, screen, other = MapView(redis, gather_s=0.01), Screen(), Screen()
    screen.watch(view, 7, [TILE.tile, OTHER.tile])
    other.watch(view, 7, [OTHER.tile])
    await load(view)
    screen.writes = other.writes = 0
    view.on_message(MAP_CHANNEL, _message(1, [(A, 20)]))
    view.on_message(MAP_CHANNEL, _message(2, [(A, 50)]))
    view.tell_online(7, 1)
    await until(lambda: bool(screen.frames[ONLINE_SLOT] and other.frames[ONLINE_SLOT]))
    assert screen.tiles == {TILE.tile: {A: 50}, OTHER.tile: {}}
    assert (screen.writes, other.writes) == (1, 1)


async def test_a_viewer_that_comes_while_a_round_waits_gets_nothing_twice(
    redis: RedisClient, keeper: KeeperStore
) -> None:
    """It was shown the tile with the change. Seen failing (`a hole`) without `came`."""
    view, early, late = MapView(redis, gather_s=0.01), Screen(), Screen()
    early.watch(view, 7, [TILE.tile])
    await load(view)
    view.on_message(MAP_CHANNEL, _message(1, [(A, 20)]))
    late.watch(view, 7, [TILE.tile])
    view.on_message(MAP_CHANNEL, _message(2, [(A, 50)]))
    await until(lambda: late.versions[TILE.tile] == 2)
    assert late.tiles == early.tiles == {TILE.tile: {A: 50}}
    assert len(late.frames[TILE.tile]) == 2


async def test_feeds_go_before_the_map(
    redis: RedisClient, keeper: KeeperStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen failing with as many writes as at rest."""
    monkeypatch.setattr("rt.map.writers.MAP_SENDS_BESIDE_FEEDS", 1)
    busy = True
    view, screens = MapView(redis, gather_s=0, busy=lambda: busy), [Screen() for _ in range(6)]
    for screen in screens:
        screen.watch(view, 7, [TILE.tile])
    await load(view)
    for _ in range(3):
        await asyncio.sleep(0)
    view.tell_online(7, 1)
    had = [sum(len(screen.frames[ONLINE_SLOT]) for screen in screens)]
    for _ in range(3):
        await asyncio.sleep(0)
        had.append(sum(len(screen.frames[ONLINE_SLOT]) for screen in screens))
    assert had == [1, 2, 3, 4]
    busy = False
    for _ in range(2):
        await asyncio.sleep(0)
    assert all(len(screen.frames[ONLINE_SLOT]) == 1 for screen in screens)


async def test_online_reaches_whoever_has_a_viewport_and_rubbish_stops_nobody(redis: RedisClient) -> None:
    view, screen, stranger = MapView(redis, gather_s=0), Screen(), Screen()
    screen.watch(view, 7, [TILE.tile])
    for payload in (b"{", b"[]", b'{"users":1}', b"7 x", b"a b c d e", b"7 \xff 1 1 {}"):
        view.on_message(MAP_CHANNEL, payload)
        view.on_message(ONLINE_CHANNEL, payload)
    view.on_message(ONLINE_CHANNEL, b'{"users":7,"training":2}')
    assert [frame_text(f) for f in screen.frames[ONLINE_SLOT]] == [{"type": "online", "users": 7, "training": 2}]
    assert not stranger.frames


def _message(version: int, cells: list[tuple[str, int]]) -> bytes:
    return encode([change(7, TILE.tile, version, False, cells)])
