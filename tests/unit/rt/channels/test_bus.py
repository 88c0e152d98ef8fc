"""The line to Redis, by what it does with one message."""

from config.redis import connect
from rt.channels.bus import Bus
from rt.metrics import Counters

NOWHERE = "redis://127.0.0.1:1/0"


async def test_a_message_that_fails_does_not_end_the_line() -> None:
    """Failed while its exception left the protocol: the loop closes such a connection, that of all channels."""
    redis = connect(NOWHERE)
    bus, heard = Bus(NOWHERE, redis, "gateway", Counters()), []

    def fail(payload: bytes) -> None:
        heard.append(payload)
        raise ValueError(payload)

    bus.subscribe("fails", fail)
    bus._on_reply([b"message", b"fails", b"1"])
    bus._on_reply([b"message", b"fails", b"2"])
    assert heard == [b"1", b"2"]
    await redis.aclose()
