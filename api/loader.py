"""Many questions of one request answered by one statement: those that are asked in one turn of the loop go together."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Loader(Generic[Key, Value]):
    """`load` answers for each key that it is given, each once. Nothing is remembered: a page may be read again after a
    mutation of the same request."""

    def __init__(self, load: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]]) -> None:
        self._load = load
        self._batch: _Batch[Key, Value] | None = None

    async def get(self, key: Key) -> Value:
        """The value of `key`. Raises what `load` raises."""
        return (await self.get_all([key]))[0]

    async def get_all(self, keys: Sequence[Key]) -> list[Value]:
        """The values of `keys`, in their order. Raises what `load` raises."""
        if not keys:
            return []
        if self._batch is None:
            self._batch = _Batch()
            self._batch.loading = asyncio.create_task(self._found(self._batch), name="load")
        found = await self._batch.answer(keys)
        return [found[key] for key in keys]

    async def _found(self, batch: "_Batch[Key, Value]") -> Mapping[Key, Value]:
        """Begun when the others of the turn have asked."""
        self._batch = None
        return await self._load(list(batch.keys))


class _Batch(Generic[Key, Value]):
    """What is asked in one turn. It belongs to all who wait for it: whoever leaves takes nobody along, and the last one
    the whole."""

    loading: asyncio.Task[Mapping[Key, Value]]

    def __init__(self) -> None:
        self.keys: dict[Key, None] = {}
        self._waiting = 0

    async def answer(self, keys: Sequence[Key]) -> Mapping[Key, Value]:
        self.keys.update(dict.fromkeys(keys))
        self._waiting += 1
        try:
            return await asyncio.shield(self.loading)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.loading.cancel()
