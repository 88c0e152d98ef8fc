"""`python -m loadtest.publish EVENTS RATE SIZE [PORT [CHANNEL]]`: stamped events, as the relay appends them.

They go to `app:bench:main`, or to CHANNEL.

Each event carries `"t": <CLOCK_MONOTONIC ns>` in its data and is SIZE bytes of JSON. What is due at the same time goes
out as one batch of at most RELAY_BATCH, like the relay's. Needs only Redis (REDIS_URL); a gateway lets clients join
with RT_OPEN_NAMESPACES=bench. EVENTS = 0 only makes the channel, so that clients can join before the first event.
PORT is ignored (drivers of other servers need it). Prints one line.
"""

import asyncio
import os
import sys
import time
from typing import Final

import uvloop

from config.limits import RELAY_BATCH
from config.redis import connect
from rt.feed.store import FeedStore
from rt.wire.bus import EPOCH_KEY
from rt.wire.channels import Channel, app_channel, parse

CHANNEL: Final = app_channel("bench", "main")
MERGE_S: Final = 0.001  # faster feeds are published in batches of what came within this, like the relay's
SETTLE_S: Final = 2.5  # a gateway that waits for an epoch or a channel looks at least once a second


def body(number: int, size: int, stamp_ns: int) -> bytes:
    """One event as clients hear it, `size` bytes where that is more than the least it needs."""
    bare = (
        b'{"id":"bench-%d","v":1,"type":"workout_completed","created_at":"2026-01-01T00:00:00Z","actor":null,'
        b'"data":{"t":%d,"p":""}}' % (number, stamp_ns)
    )
    return bare[:-3] + b"x" * (size - len(bare)) + bare[-3:]


async def ready(store: FeedStore, epoch: str, channel: Channel = CHANNEL) -> int:
    """The channel's head in this epoch; makes the channel where Redis does not have it, and lets gateways see it."""
    head = await store.head(channel)
    if head is None or head.epoch != epoch:
        await store.refill(channel, epoch, 0, [])
        await asyncio.sleep(SETTLE_S)
        return 0
    return head.offset


async def publish(events: int, rate: float, size: int, redis_url: str, channel: Channel = CHANNEL) -> float:
    """Publishes `events` at `rate` a second; returns the seconds that it took."""
    redis = connect(redis_url)
    try:
        await redis.set(EPOCH_KEY, "bench", nx=True)  # without a relay nobody else names an epoch
        store = FeedStore(redis)
        epoch = await store.epoch() or "bench"
        offset = await ready(store, epoch, channel)
        began = time.monotonic()
        sent = 0
        while sent < events:
            due = min(events, int((time.monotonic() - began) * rate) + 1) - sent
            if due <= 0:
                await asyncio.sleep(max(began + sent / rate - time.monotonic(), MERGE_S if rate > 1 / MERGE_S else 0.0))
                continue
            # Stamped when they were due, not when they were taken: the wait for a batch is part of the way.
            stamps = [int((began + (sent + n) / rate) * 1e9) for n in range(min(due, RELAY_BATCH))]
            batch = [body(sent + n + 1, size, stamp_ns) for n, stamp_ns in enumerate(stamps)]
            expected = await store.append(channel, epoch, offset + 1, batch)
            if expected is not None:
                sys.exit(f"somebody else writes to {channel.wire}: Redis expects offset {expected}, not {offset + 1}")
            offset += len(batch)
            sent += len(batch)
        return time.monotonic() - began
    finally:
        await redis.aclose()


def main() -> None:
    """The command."""
    if len(sys.argv) not in (4, 5, 6):
        sys.exit("usage: python -m loadtest.publish EVENTS RATE SIZE [PORT [CHANNEL]]")
    channel = parse(sys.argv[5]) if len(sys.argv) == 6 else CHANNEL
    if channel is None:
        sys.exit(f"{sys.argv[5]} is no channel")
    events, rate, size = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    took = uvloop.run(publish(events, rate, size, os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/0", channel))
    print(f"published {events} events in {took:.2f} s")


if __name__ == "__main__":
    main()
