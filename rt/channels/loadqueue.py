"""Topics that Redis is to be read for: first come, first served, each at most once."""

import asyncio

from rt.channels.topic import Topic

__all__ = ["LoadQueue"]


class LoadQueue:
    """Between the hub, which puts, and the loader's readers, which get. Bounded by the number of topics."""

    __slots__ = ("_queue", "_queued")

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Topic] = asyncio.Queue()
        self._queued: set[Topic] = set()

    def put(self, topic: Topic) -> None:
        """Behind the others, unless it is among them."""
        if topic not in self._queued:
            self._queued.add(topic)
            self._queue.put_nowait(topic)

    async def get(self) -> Topic:
        """The next, as soon as there is one; from now on it may be put again."""
        topic = await self._queue.get()
        self._queued.discard(topic)
        return topic
