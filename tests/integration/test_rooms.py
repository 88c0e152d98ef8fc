"""Who is in a channel of another app, as the gateways of one Redis write it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

import rt.presence.rooms
from config.redis import RedisClient, connect
from rt.presence.rooms import Present, Rooms, present
from rt.wire.bus import decode_member
from rt.wire.channels import app_channel, bus_channel
from tests.support.gateway import until
from tests.support.relay import subscribe

ROOM: Final = app_channel("wishes", "birthday")
GRACE_S: Final = 0.6


@pytest.fixture
async def redis(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RedisClient]:
    monkeypatch.setattr(rt.presence.rooms, "PRESENCE_CLOSE_GRACE_S", GRACE_S)
    async with connect(redis_url) as made:
        yield made


async def users(redis: RedisClient) -> list[str]:
    """Those who are told to count, without a look that takes anybody away."""
    names: Any = await redis.zrange(rt.presence.rooms._keys(ROOM)[1], 0, -1)
    return sorted(name.decode() for name in names)


async def test_whoever_closes_is_over_in_their_own_time(redis: RedisClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late it was written, and whoever closes after them. Failed before: one time a channel, counted from the
    close: the next close put off the first one's end, and a slow write was looked at too early."""
    rooms, stopping = Rooms(redis), asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("ann", "bob", "cat"):
        rooms.enter(ROOM, name, f"wishes:{name}")
    await rooms.turn()
    rooms.close(ROOM, "ann")
    await asyncio.sleep(GRACE_S / 2)  # the write is late
    await rooms.turn()
    ann_over = loop.time() + GRACE_S
    task = asyncio.create_task(rooms.run(stopping))
    await asyncio.sleep(GRACE_S * 0.8)
    rooms.close(ROOM, "bob")
    bob_over = loop.time() + GRACE_S

    async def are(*names: str) -> bool:
        return await users(redis) == [f"wishes:{name}" for name in names]

    await until(lambda: are("bob", "cat"))
    assert ann_over <= loop.time() < bob_over
    await until(lambda: are("cat"))
    assert loop.time() >= bob_over
    stopping.set()
    await task


async def test_members_of_a_gateway_that_is_gone_end_for_those_who_are_left(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a user who has come back meanwhile is never told to be away. Seen failing with a look that takes nobody."""
    monkeypatch.setattr(rt.presence.rooms, "APP_PRESENT_S", 0.5)
    killed, other = Rooms(redis), Rooms(redis)
    killed.enter(ROOM, "c1", "wishes:ann")
    killed.enter(ROOM, "c2", "wishes:bob")
    await killed.turn()
    async with redis.pubsub() as bus:
        await subscribe(bus, bus_channel(ROOM))
        other.enter(ROOM, "c3", "wishes:bob")
        await other.turn()
        heard: list[bytes | None] = []

        async def gone() -> bool:
            other._changed[ROOM] = {"c3": ("here", "wishes:bob")}
            await other.turn()
            message = await bus.get_message(timeout=0.05)
            if message is not None:
                heard.append(decode_member(ROOM.wire, message["data"]))
            return (await present(redis, ROOM)).users == ["wishes:bob"] and bool(heard)

        await until(gone)
    assert len(heard) == 1
    assert heard[0] is not None
    assert b'"user":"wishes:ann","state":"offline"' in heard[0]


async def test_of_a_full_room_a_thousand_are_named_and_all_are_counted(redis: RedisClient) -> None:
    """And when they are over nobody is left, however many there were. Seen failing with a look that took a thousand of
    them away."""
    rooms = Rooms(redis)
    for number in range(2_100):
        rooms.enter(ROOM, str(number), f"wishes:{number}")
    await rooms.turn()
    found = await present(redis, ROOM)
    assert (found.count, len(found.users)) == (2_100, 1_000)
    for number in range(2_100):
        rooms.close(ROOM, str(number))
    await rooms.turn()
    await asyncio.sleep(GRACE_S)
    assert await present(redis, ROOM) == Present(0, [])
