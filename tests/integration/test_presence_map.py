"""The map in one gateway: shared frames, late viewers, holes and outages, against a real Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from config.limits import MAP_PENDING_PER_TILE_MAX
from config.redis import RedisClient, connect
from rt.presence.aggregate import TileChange, TileKey, TileState
from rt.presence.map import ONLINE_SLOT, MapView
from rt.presence.upkeep import KeeperStore
from rt.wire.bus import MAP_CHANNEL, ONLINE_CHANNEL
from rt.wire.map import change, encode
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
    view, first, second, late = MapView(redis), Screen(), Screen(), Screen()
    async with hear(redis, *view.channels()) as heard:
        await publish(keeper, 5, {A: 20}, {A: 20})
        await heard(1)
        view.watch(first, 7, [TILE.tile, OTHER.tile])
        view.watch(second, 7, [TILE.tile])
        await load(view)
        await publish(keeper, 6, {A: 0, B: 50}, {B: 50})
        for channel, payload in await heard(1):
            view.on_message(channel, payload)
    view.watch(late, 7, [TILE.tile])
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
    view, screen = MapView(redis), Screen()
    view.watch(screen, 7, [TILE.tile])
    await publish(keeper, 5, {A: 20}, {A: 20})
    for version, cells in ((5, [(A, 20)]), (6, [(B, 50)]), (7, [(A, 0)])):
        view.on_message(MAP_CHANNEL, _message(version, cells))
    await load(view)
    assert screen.tiles == {TILE.tile: {B: 50}}
    assert screen.versions == {TILE.tile: 7}
    assert len(screen.frames[TILE.tile]) == 1


async def test_a_hole_and_a_lost_bus_are_filled_from_redis(redis: RedisClient, keeper: KeeperStore) -> None:
    view, screen = MapView(redis), Screen()
    await publish(keeper, 5, {A: 20}, {A: 20})
    view.watch(screen, 7, [TILE.tile])
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
    view, screen = MapView(redis), Screen()
    view.watch(screen, 7, [TILE.tile])
    for version in range(1, 3 * MAP_PENDING_PER_TILE_MAX):
        view.on_message(MAP_CHANNEL, _message(version, [(A, 20)]))
    assert len(view._tiles[TILE].pending) == MAP_PENDING_PER_TILE_MAX
    await load(view)
    assert TILE in view._wanted  # the hole was seen, and it is loaded again


async def test_a_large_tick_gives_the_loop_turns_and_keeps_the_order_of_each_tile(
    redis: RedisClient, keeper: KeeperStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen failing with the newest frame first."""
    monkeypatch.setattr("rt.presence.map.MAP_SENDS_PER_TURN", 3)
    view, screens = MapView(redis), [Screen() for _ in range(4)]
    for screen in screens:
        view.watch(screen, 7, [TILE.tile])
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
    monkeypatch.setattr("rt.presence.map.MAP_SENDS_PER_TURN", 3)
    view, screens = MapView(redis), [Screen() for _ in range(5)]
    for screen in screens:
        view.watch(screen, 7, [TILE.tile])
    view.tell_online(7, 1)
    assert [len(screen.frames[ONLINE_SLOT]) for screen in screens] == [1, 1, 1, 0, 0]
    view.tell_online(8, 1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert [len(screen.frames[ONLINE_SLOT]) for screen in screens] == [2, 2, 2, 1, 1]


async def test_online_reaches_whoever_has_a_viewport_and_rubbish_stops_nobody(redis: RedisClient) -> None:
    view, screen, stranger = MapView(redis), Screen(), Screen()
    view.watch(screen, 7, [TILE.tile])
    for payload in (b"{", b"[]", b'{"users":1}', b"7 x", b"a b c d e", b"7 \xff 1 1 {}"):
        view.on_message(MAP_CHANNEL, payload)
        view.on_message(ONLINE_CHANNEL, payload)
    view.on_message(ONLINE_CHANNEL, b'{"users":7,"training":2}')
    assert [frame_text(f) for f in screen.frames[ONLINE_SLOT]] == [{"type": "online", "users": 7, "training": 2}]
    assert not stranger.frames


def _message(version: int, cells: list[tuple[str, int]]) -> bytes:
    return encode([change(7, TILE.tile, version, False, cells)])
