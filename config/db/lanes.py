"""Lanes: what belongs to one key waits for each other in this process, before it takes a connection.

Writes of one user meet on one row anyway. Waiting here costs nothing; waiting in the database costs a connection and,
under SERIALIZABLE, a retry for each that lost.
"""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from config.errors import RetryLater
from config.limits import LANE_WAIT_S, LANE_WAITING_MAX


class _Lane:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class Lanes:
    """Locks by key, first come first served; a key that nobody uses takes no memory."""

    def __init__(self) -> None:
        self._lanes: dict[Hashable, _Lane] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncIterator[None]:
        """Holds the lane of `key`. Raises RetryLater when its line is too long or does not move."""
        lane = self._lanes.setdefault(key, _Lane())
        if lane.users > LANE_WAITING_MAX:
            raise RetryLater
        lane.users += 1
        try:
            if lane.users > 1:
                try:
                    async with asyncio.timeout(LANE_WAIT_S):
                        await lane.lock.acquire()
                except TimeoutError:
                    raise RetryLater from None
            else:
                await lane.lock.acquire()  # at once: nothing else runs in between
            try:
                yield
            finally:
                lane.lock.release()
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[key]
