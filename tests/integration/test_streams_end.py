"""Streams of a gateway of the test's own: how many there may be, and what becomes of them when it stops or dies."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from rt.wire.channels import COMMUNITY, app_channel
from tests.support.gateway import gateway, until
from tests.support.sse import is_now, kill_oldest, made, stream_of


async def test_one_address_and_one_user_have_so_many(redis_url: str, tmp_path: Path) -> None:
    """Streams count with sockets, and give back what they had. Seen failing with streams that no limit counted."""
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "CONNECTIONS_PER_ADDRESS_MAX": "20", "CONNECTIONS_PER_USER_MAX": "2"}
    async with gateway(redis_url, tmp_path, **settings) as gate:
        await made(gate, COMMUNITY, 1)

        async def many(address: str, stack: AsyncExitStack) -> list[int]:
            opening = (stack.enter_async_context(stream_of(gate, X_Forwarded_For=address)) for _ in range(60))
            return sorted(stream.status for stream in await asyncio.gather(*opening))

        for _ in range(2):
            async with AsyncExitStack() as stack:
                assert await many("192.0.2.1", stack) == [200] * 20 + [429] * 40
                async with stream_of(gate, X_Forwarded_For="192.0.2.1") as one:
                    assert one.error == (429, "RATE_LIMITED")
                    assert one.headers["retry-after"] == "5"
                async with stream_of(gate, X_Forwarded_For="192.0.2.2") as one:
                    assert one.status == 200
            await until(lambda: is_now(gate, "rt_connections", 1))
        async with AsyncExitStack() as stack:
            token = f"Bearer {gate.mint.access('ann')}"
            await stack.enter_async_context(gate.client("ann"))
            for number, status in enumerate((200, 429), 3):
                one = stream_of(gate, Authorization=token, X_Forwarded_For=f"192.0.2.{number}")
                assert (await stack.enter_async_context(one)).status == status


async def test_a_gateway_that_stops_says_when_to_come_back(redis_url: str, tmp_path: Path) -> None:
    """Each at a time of its own, and its last events before that. Seen failing with 40 that ended without a word."""
    async with gateway(redis_url, tmp_path, RT_DRAIN_S="1") as gate, AsyncExitStack() as stack:
        await made(gate, COMMUNITY)
        streams = [await stack.enter_async_context(stream_of(gate)) for _ in range(40)]
        for stream in streams:
            await stream.until_place()
        await gate.feeds.publish(COMMUNITY)
        for stream in streams:
            assert (await stream.next()).offset == 1
        hints = {stream.heard.retry_ms for stream in streams}
        stopping = asyncio.create_task(gate.fleet.rt.stop())
        for stream in streams:
            assert await stream.rest() == []
            assert stream.heard.comments == ["restart"]
        after = {stream.heard.retry_ms for stream in streams}
        assert len(after) > 30
        assert after.isdisjoint(hints) or len(after | hints) > 60
        assert await stopping == 0


async def test_readers_lose_nothing_through_kills_and_a_drain(redis_url: str, tmp_path: Path) -> None:
    """Each comes back with its last id, to whichever process answers: every offset once. Seen failing with `id` at the
    offset before."""
    channel, readers = app_channel("open", "sse-kills"), 30
    heard: list[list[int]] = [[] for _ in range(readers)]
    gaps: list[str] = []
    ended = asyncio.Event()

    async with gateway(redis_url, tmp_path, RT_PROCESSES="2", RT_DRAIN_S="0.5") as gate:
        query = await made(gate, channel)

        async def follow(mine: list[int]) -> None:
            last: dict[str, str] = {}
            while not ended.is_set():
                try:
                    async with stream_of(gate, query, **last) as stream:
                        while not ended.is_set():
                            told = await stream.next("event", "gap")  # not the status of a process that begins
                            last = {"Last_Event_ID": told.id}
                            if told.kind == "event":
                                mine.append(told.offset)
                            else:
                                gaps.append(told.kind)
                except (OSError, EOFError):
                    last = {"Last_Event_ID": stream.heard.last_id} if stream.heard.last_id else last
                    await asyncio.sleep(0.05)

        followers = [asyncio.create_task(follow(mine)) for mine in heard]
        await until(lambda: is_now(gate, "rt_connections", readers + 1))
        last = 0
        for act in ("kill", "kill", "drain", ""):
            for _ in range(20):
                await gate.feeds.publish(channel)
                last += 1
                await asyncio.sleep(0.005)
            if act == "kill":
                await kill_oldest(gate)
            elif act == "drain":
                await gate.fleet.rt.stop()
                await gate.feeds.publish(channel, 5)
                last += 5
                await gate.fleet.rt.start()
        await until(lambda: all(mine and mine[-1] == last for mine in heard), 30)
        ended.set()
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
    assert [mine for mine in heard if mine != list(range(1, last + 1))] == []
    assert gaps == []
