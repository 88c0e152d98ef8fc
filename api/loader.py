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
        self._batch: tuple[dict[Key, None], asyncio.Future[Mapping[Key, Value]]] | None = None

    async def get(self, key: Key) -> Value:
        """The value of `key`. Raises what `load` raises."""
        return (await self.get_all([key]))[0]

    async def get_all(self, keys: Sequence[Key]) -> list[Value]:
        """The values of `keys`, in their order. Raises what `load` raises."""
        if not keys:
            return []
        found = await self._found(keys)
        return [found[key] for key in keys]

    async def _found(self, keys: Sequence[Key]) -> Mapping[Key, Value]:
        """At least what is asked for. Whoever asks first in a turn loads for all."""
        if self._batch is not None:
            asked, answer = self._batch
            asked.update(dict.fromkeys(keys))
            return await asyncio.shield(answer)
        asked, answer = self._batch = dict.fromkeys(keys), asyncio.get_running_loop().create_future()
        try:
            await asyncio.sleep(0)  # the others ask
            self._batch = None
            found = await self._load(list(asked))
        except BaseException as error:
            self._batch = None
            if isinstance(error, Exception):
                answer.set_exception(error)
                answer.exception()  # nobody else may have asked
            else:
                answer.cancel()
            raise
        answer.set_result(found)
        return found
