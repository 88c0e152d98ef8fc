"""A share of something scarce: so many may hold it at once, so many more may wait, and only so long."""

import asyncio
from contextlib import AbstractContextManager
from types import TracebackType

from config.errors import RetryLater


class Share(AbstractContextManager[None]):
    """`size` holders at once, first come, first served. Hold one by `with await share.take():`."""

    def __init__(self, size: int, waiting_max: int, wait_s: float) -> None:
        self._free = asyncio.Semaphore(size)
        self._waiting_max = waiting_max
        self._wait_s = wait_s
        self.waiting = 0

    async def take(self) -> "Share":
        """One part of it, to be left by the `with` around it. Raises RetryLater when the line is full or stands."""
        if not self._free.locked():
            await self._free.acquire()  # at once
            return self
        if self.waiting >= self._waiting_max:
            raise RetryLater
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise RetryLater from None
        finally:
            self.waiting -= 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.release()
