"""Lanes: what belongs to one key waits for each other in this process, before it takes a connection.

Writes of one user meet on one row anyway. Waiting here costs nothing; waiting in the database costs a connection and,
under SERIALIZABLE, a retry for each that lost.
"""

import asyncio
from collections.abc import Hashable

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

    def hold(self, key: Hashable) -> "_Hold":
        """Holds the lane of `key` for an `async with`, which raises RetryLater when its line is too long or does not
        move."""
        return _Hold(self._lanes, key)


class _Hold:
    """No generator: each write pays for it."""

    __slots__ = ("_key", "_lane", "_lanes")

    def __init__(self, lanes: dict[Hashable, _Lane], key: Hashable) -> None:
        self._lanes = lanes
        self._key = key

    async def __aenter__(self) -> None:
        self._lane = lane = self._lanes.setdefault(self._key, _Lane())
        if lane.users > LANE_WAITING_MAX:
            raise RetryLater
        lane.users += 1
        try:
            if lane.users > 1:
                async with asyncio.timeout(LANE_WAIT_S):
                    await lane.lock.acquire()
            else:
                await lane.lock.acquire()  # at once: nothing else runs in between
        except BaseException as error:
            self._leave()
            if isinstance(error, TimeoutError):
                raise RetryLater from None
            raise

    async def __aexit__(self, *_: object) -> None:
        self._lane.lock.release()
        self._leave()

    def _leave(self) -> None:
        self._lane.users -= 1
        if not self._lane.users:
            del self._lanes[self._key]
