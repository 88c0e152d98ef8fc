"""The meter of answers: what is too large is not made, not nulled, and nothing goes on behind it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLSchema, build_schema, execute, parse

from api.graphql.execution import Meter, MeteredExecutor
from config.errors import AnswerTooLarge, RetryLater
from tests.support.gateway import until

SDL = """
scalar JSON
type Query { now(size: Int): [A]  later(size: Int): [A]  slow: Int  broken: Int! }
type A { text: String  data: JSON  inner: [A] }
"""


class World:
    """A schema whose resolvers count what they made."""

    def __init__(self) -> None:
        self.made = 0
        self.cancelled = 0
        self.schema = build_schema(SDL)
        resolvers: dict[str, dict[str, Callable[..., Any]]] = {
            "Query": {"now": self._now, "later": self._later, "slow": self._slow, "broken": self._broken},
            "A": {"text": self._text, "data": lambda *_: {"x": "y" * 93}, "inner": lambda *_: [1, 2]},
        }
        for owner, fields in resolvers.items():
            for name, resolve in fields.items():
                self.schema.type_map[owner].fields[name].resolve = resolve  # type: ignore[attr-defined]

    def _now(self, _: Any, __: Any, size: int) -> list[int]:
        return list(range(size))

    async def _later(self, _: Any, __: Any, size: int) -> list[int]:
        await asyncio.sleep(0)
        return list(range(size))

    async def _slow(self, *_: Any) -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return 1

    def _broken(self, *_: Any) -> int:
        raise RetryLater

    def _text(self, *_: Any) -> str:
        self.made += 1
        return "x" * 100


async def answer(schema: GraphQLSchema, text: str, meter: Meter) -> ExecutionResult:
    result = execute(schema, parse(text), executor_class=MeteredExecutor, meter=meter)
    return result if isinstance(result, ExecutionResult) else await result


async def test_fields_and_bytes_are_counted_exactly() -> None:
    """Failed with the fields of objects in lists left out."""
    world = World()
    meter = Meter(1_000, 10_000)
    result = await answer(world.schema, "{ now(size: 3) { text data inner { text } } }", meter)
    assert result.errors is None
    assert 1_000 - meter.fields_left == 1 + 3 * 3 + 3 * 2
    names = 3 * (4 + 4 + 5) + 3 * 3 * 4 + 6 * (4 + 4) + 3 + 4
    assert 10_000 - meter.bytes_left == 9 * 100 + 3 * 101 + names


@pytest.mark.parametrize("field", ["now", "later"])
@pytest.mark.parametrize("inside", ["text", "inner { text }"])
async def test_a_large_answer_stops_being_made(field: str, inside: str) -> None:
    """Failed against the library's way with errors: each nullable item became null, with 100,000 errors."""
    world = World()
    with pytest.raises(AnswerTooLarge, match="bytes"):
        await answer(world.schema, f"{{ {field}(size: 100000) {{ {inside} }} }}", Meter(1_000_000, 5_000))
    assert 30 < world.made <= 51
    with pytest.raises(AnswerTooLarge, match="more than 60 fields"):
        await answer(world.schema, f"{{ {field}(size: 100000) {{ {inside} }} }}", Meter(60, 1_000_000))
    assert world.made < 51 + 60


async def test_nothing_goes_on_behind_a_refusal() -> None:
    """Failed with the library's settle_in_background: `slow` went on behind the answer, and nobody ended it."""
    world = World()
    with pytest.raises(AnswerTooLarge):
        await answer(world.schema, "{ slow now(size: 1000) { text } }", Meter(100))
    result = await answer(world.schema, "{ slow broken }", Meter(100))
    assert (result.data, len(result.errors or ())) == (None, 1)
    with pytest.raises(AnswerTooLarge):
        await answer(world.schema, "{ slow later(size: 1000) { text } }", Meter(100))
    await until(lambda: world.cancelled == 3)
    assert asyncio.all_tasks() == {asyncio.current_task()}
