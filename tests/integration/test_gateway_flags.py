"""A flag that the API tells changes a gateway while it runs."""

from pathlib import Path

from rt.wire.bus import CONTROL_CHANNEL, FLAGS_KEY
from rt.wire.channels import app_channel
from rt.wire.flags import FEED_DIGEST, encode_flags
from tests.support.gateway import gateway, until

CHANNEL = app_channel("open", "hot")
OFF, ON = (encode_flags({FEED_DIGEST: on}) for on in (False, True))


async def test_digests_are_switched_off_and_on(redis_url: str, tmp_path: Path) -> None:
    """By the bus at once, by the poll where the bus has lost it; what the key says holds from the start."""
    async with gateway(redis_url, tmp_path, FEED_RATE="app:open=2") as running:
        feeds = running.feeds
        await feeds.make(CHANNEL)
        async with running.client() as talk:
            await talk.ask("subscribe", channel=CHANNEL.wire)

            async def heard(count: int) -> list[str]:
                await feeds.publish(CHANNEL, count)
                kinds, last = [], len(feeds.bodies[CHANNEL])
                while True:
                    message = await talk.hear("event", "digest")
                    kinds.append(message["type"])
                    if message.get("offset") == last or message.get("to") == last:
                        return kinds

            assert "digest" in await heard(200)
            await feeds.redis.publish(CONTROL_CHANNEL, OFF)
            assert await heard(200) == ["event"] * 200
            await feeds.redis.publish(CONTROL_CHANNEL, b'{"t":"flags","on":{"feed-digest":"maybe","another":true}}')
            assert await heard(200) == ["event"] * 200
            await feeds.redis.set(FLAGS_KEY, ON)

            async def digested() -> bool:
                return "digest" in await heard(100)

            await until(digested)
