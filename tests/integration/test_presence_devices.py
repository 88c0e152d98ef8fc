"""One person on two gateways, each a supervisor, its processes and a keeper of its own."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from rt.presence.rules import partition_of
from rt.presence.store import partition_keys
from rt.wire.channels import bus_channel, profile_channel
from tests.support.gateway import MINT, Gateway, make_fleet, prepared, until
from tests.support.presence_view import hear

USER = "somebody"
PARTITIONS = 4


async def test_two_devices_on_two_gateways_one_closes_then_the_other_leaves(redis_url: str, tmp_path: Path) -> None:
    """Online until the second has left, and then said to be offline once. The grace of the closed one is made to end
    by hand. Seen failing with a close that ends every connection of the user."""
    zset, _, users, *_ = partition_keys(partition_of(USER, PARTITIONS))
    async with prepared(redis_url) as feeds, AsyncExitStack() as stack:
        redis: Any = feeds.redis
        heard = await stack.enter_async_context(hear(redis, bus_channel(profile_channel(USER))))
        gates = [
            Gateway(make_fleet(redis_url, tmp_path / name, {"PRESENCE_PARTITIONS": str(PARTITIONS)}), feeds, MINT)
            for name in ("a", "b")
        ]
        for gate in gates:
            stack.callback(gate.fleet.clean_up)
            gate.fleet.rt.launch()
        for gate in gates:
            await gate.fleet.rt.wait_ready()

        async def members(count: int) -> bool:
            return int(await redis.zcard(zset)) == count

        async def graced() -> bool:
            seconds, _ = await redis.time()
            ((_, score),) = await redis.zrange(zset, 0, 0, withscores=True)
            return bool(score / 1_000 < seconds + 30)

        async with gates[1].client(USER) as tablet:
            async with gates[0].client(USER):
                await until(lambda: members(2))
            await until(graced)
            ((connection, _),) = await redis.zrange(zset, 0, 0, withscores=True)
            await redis.zadd(zset, {connection: 1})
            await until(lambda: members(1))  # the reaper has taken the closed one
            assert await redis.hexists(users, USER)
            assert [text.split()[2] for _, text in await heard(1)] == [b"online"]
            await tablet.say("leave")
            assert await tablet.closed() == 1000
            await until(lambda: members(0))
        await asyncio.sleep(1.5)  # both keepers have looked again
        assert [text.split()[2] for _, text in await heard(1)] == [b"offline"]
