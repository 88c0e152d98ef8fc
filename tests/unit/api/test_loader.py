"""Questions of one turn that go together."""

import asyncio
from collections.abc import Sequence

from api.loader import Loader


class Asked:
    """Doubles what it is asked for, and remembers how."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[list[int]] = []
        self.error = error

    async def __call__(self, keys: Sequence[int]) -> dict[int, int]:
        self.batches.append(list(keys))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return {key: key * 2 for key in keys}


async def test_what_is_asked_in_one_turn_is_one_batch_each_key_once() -> None:
    """Seen failing without the turn in which the others ask."""
    asked = Asked()
    loader = Loader(asked)
    assert await asyncio.gather(*(loader.get(key) for key in (1, 2, 1, 3))) == [2, 4, 2, 6]
    assert await loader.get(1) == 2
    assert asked.batches == [[1, 2, 3], [1]]


async def test_an_error_is_everybodys_and_the_next_batch_goes_on() -> None:
    asked = Asked(OSError("away"))
    loader = Loader(asked)
    found = await asyncio.gather(loader.get(1), loader.get(2), return_exceptions=True)
    assert [type(one) for one in found] == [OSError, OSError]
    asked.error = None
    assert await loader.get(2) == 4


async def test_whoever_leaves_takes_nobody_along() -> None:
    """Neither does the first: what fails beside one question ends it, and not those of others. Seen failing with the
    batch loaded by whoever asked first: all the others were cancelled with it."""
    asked = Asked()
    loader = Loader(asked)
    for leaver in range(3):
        waiting = [asyncio.ensure_future(loader.get(key)) for key in range(3)]
        await asyncio.sleep(0)
        waiting[leaver].cancel()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [one for one in found if not isinstance(one, asyncio.CancelledError)] == [
            key * 2 for key in range(3) if key != leaver
        ]
    assert await loader.get(4) == 8


async def test_where_all_have_left_nothing_is_loaded_any_more() -> None:
    """Seen failing without the cancel of the last one."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def load(_: Sequence[int]) -> dict[int, int]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return {}

    loader: Loader[int, int] = Loader(load)
    waiting = [asyncio.ensure_future(loader.get(key)) for key in range(2)]
    await begun.wait()
    for one in waiting:
        one.cancel()
    await asyncio.wait_for(ended.wait(), 5)
