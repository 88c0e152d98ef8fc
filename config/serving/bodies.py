"""Half-sent bodies of one process: bounded in all and for each address."""

import asyncio

from config.errors import RetryLater
from config.limits import HTTP_BODIES_BYTES_MAX, HTTP_BODIES_BYTES_PER_ADDRESS_MAX
from config.shares import Shares


class HalfBody:
    """What one request has sent so far of a body that is not whole. `shed` says that it had to give way."""

    __slots__ = ("deadline", "holder", "shed", "size")

    def __init__(self, deadline: asyncio.Timeout, holder: str | None) -> None:
        self.deadline = deadline
        self.holder = holder
        self.shed = False
        self.size = 0


class HalfBodies:
    """Counts bytes. Whole bodies come at once, so the oldest half one is the least likely to end: it gives way."""

    def __init__(self) -> None:
        self._all: dict[HalfBody, None] = {}
        self._size = 0
        self._shares = Shares(HTTP_BODIES_BYTES_PER_ADDRESS_MAX)

    def begin(self, deadline: asyncio.Timeout, holder: str | None) -> HalfBody:
        """A body of which more is to come; `end` follows. `holder` is whose share it is, None nobody's."""
        half = HalfBody(deadline, holder)
        self._all[half] = None
        return half

    def grow(self, half: HalfBody, size: int) -> None:
        """`size` more bytes are kept. Raises RetryLater where its address has too many; may end older ones."""
        if half.shed:
            raise RetryLater("Too many bodies are half-sent")
        if half.holder is not None and not self._shares.take(half.holder, size):
            raise RetryLater("Too many bodies of one address are half-sent")
        half.size += size
        self._size += size
        while self._size > HTTP_BODIES_BYTES_MAX:
            oldest = next(iter(self._all))
            self.end(oldest)
            oldest.shed = True
            if not oldest.deadline.expired():
                oldest.deadline.reschedule(asyncio.get_running_loop().time())

    def end(self, half: HalfBody) -> None:
        """It is whole, or nobody waits for it any more."""
        if half in self._all:
            del self._all[half]
            self._size -= half.size
            if half.holder is not None and half.size:
                self._shares.give_back(half.holder, half.size)
