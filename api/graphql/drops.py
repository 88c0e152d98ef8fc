"""What changes kept answers, told to every process through Redis, and heard from it.

A drop is in force here at once, elsewhere after a trip through Redis. Where none is heard for DROPS_HEARD_S, not even
the word that each process says every DROPS_EVERY_S, nothing is kept here: without Redis each answer is made anew.
"""

import asyncio
from typing import Final

import structlog

from api.graphql.answers import Answers
from config.limits import DROPS_EVERY_S, DROPS_HEARD_S, DROPS_RETRY_S
from config.metrics import FAILURES
from config.process import set_within
from config.redis import AWAY, RedisClient, heard
from rt.wire.bus import DROPS_CHANNEL
from rt.wire.drops import NOTHING, Drop, decode_drop, encode_drop

log = structlog.get_logger()

_TELL_S: Final = 1.0


class Drops:
    """One per process."""

    def __init__(self, redis: RedisClient, answers: Answers) -> None:
        self._redis = redis
        self._answers = answers
        self._pending = NOTHING
        self._due = asyncio.Event()

    def soon(self, what: Drop) -> None:
        """Call it after a commit. Never waits, never fails; drops that come together are told together."""
        self._answers.drop(what)
        self._pending |= what
        self._due.set()

    async def run(self) -> None:
        """Tells the others, for as long as the process lives; what Redis does not take is told later."""
        while True:
            await set_within(self._due, DROPS_EVERY_S)
            self._due.clear()
            told, self._pending = self._pending, NOTHING
            try:
                async with asyncio.timeout(_TELL_S):
                    await self._redis.publish(DROPS_CHANNEL, encode_drop(told))
            except AWAY as error:
                self._pending |= told
                FAILURES.labels("drops").inc()
                log.debug("drops_not_told", error=type(error).__name__)
                await asyncio.sleep(DROPS_RETRY_S)

    async def listen(self) -> None:
        """Hears the others, and itself, for as long as the process lives."""
        while True:
            try:
                async for message in heard(self._redis, DROPS_CHANNEL, DROPS_EVERY_S):
                    self._answers.heard(DROPS_HEARD_S)
                    what = decode_drop(message)
                    if what is not None:
                        self._answers.drop(what)
            except AWAY as error:
                log.debug("drops_not_heard", error=type(error).__name__)
            self._answers.deaf()
            await asyncio.sleep(DROPS_RETRY_S)
