"""Positions that Redis does not have yet: a page of PostgreSQL may name an event before it is published."""

import asyncio
import time
from pathlib import Path

from rt.wire.channels import app_channel
from tests.support.gateway import EPOCH, gateway, until

CHANNEL = app_channel("open", "ahead")
SILENT = app_channel("open", "silent")


async def test_only_what_postgresql_does_not_know_is_from_the_future(redis_url: str, tmp_path: Path) -> None:
    """Seen failing: a gateway that gave the relay a second and then said `recovered: false`, and one that believed a
    word of the relay from before the client came.
    """
    async with gateway(redis_url, tmp_path) as gate, gate.client() as early, gate.client() as talk:
        feeds = gate.feeds
        await feeds.make(CHANNEL)
        await feeds.publish(CHANNEL, 5)
        assert (await early.ask("subscribe", channel=CHANNEL.wire))["offset"] == 5
        await feeds.store.announce(EPOCH, {CHANNEL: 5})  # an answer to somebody else, a moment before

        # Nobody answers for this one, so nobody knows: it shall ask again later.
        await feeds.make(SILENT)
        del feeds.bodies[SILENT]
        position = {"epoch": EPOCH, "offset": 9}
        unlucky = asyncio.ensure_future(early.ask("subscribe", channel=SILENT.wire, since=position))

        # PostgreSQL has 8; the relay says so, and is slow to publish it.
        feeds.bodies[CHANNEL] += [b'{"id":"e%d"}' % n for n in (6, 7, 8)]
        began = time.monotonic()
        asked = asyncio.ensure_future(talk.ask("subscribe", channel=CHANNEL.wire, since={"epoch": EPOCH, "offset": 8}))
        await until(lambda: feeds.redis.llen("relay:refill"))
        await feeds.store.announce(EPOCH, {CHANNEL: 5})  # read before 6 to 8 were there, and on its way since
        async with feeds.answering():
            await asyncio.sleep(2.5)
            assert not asked.done()
            assert await feeds.store.append(CHANNEL, EPOCH, 6, feeds.bodies[CHANNEL][5:]) is None
            told = await asked
        assert (told["recovered"], told["offset"], told["events"]) == (True, 8, [])
        assert 2 < time.monotonic() - began < 5

        # PostgreSQL has 8 and no more.
        async with feeds.answering():
            told = await talk.ask("subscribe", channel=CHANNEL.wire, since=position)
        assert (told["recovered"], told["offset"], told["events"]) == (False, 8, [])
        assert (await unlucky)["code"] == "UNAVAILABLE"
