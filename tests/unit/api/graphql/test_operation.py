"""What an operation promises beside its answer: nothing twice, nothing for long, nothing for ever."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

import pytest
from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    get_named_type,
    parse,
)
from graphql.execution.values import VariableValues

from api.app import SCHEMA
from api.graphql.context import Context, Info, Services
from api.graphql.execution import Meter
from api.graphql.operation import PLANS_MAX, Operation
from api.graphql.plan import compiled
from api.graphql.ways import Attribute, Relation, Root
from config.db.database import Database
from config.errors import AnswerTooLarge, NotFound
from config.metrics import GRAPHQL_PLAN_FALLBACKS
from tests.unit.api.graphql.test_plan import fallbacks

CONTEXT: Final = Context(Services({}, cast("Database", None)), None, cast("Any", None))
SDL: Final = """
type Query { many(size: Int!): [A!]!  missing: A  bad: A }
type Mutation { first: A  second: A! }
type A { name: String!  friends: Int!  odd: Int! }
"""


class A:
    """`reads`: how often its name was read, of all of them."""

    reads = 0

    def __init__(self, odd: Any = 1) -> None:
        self.odd = odd

    @property
    def name(self) -> str:
        A.reads += 1
        return "x" * 10


class World:
    """A schema whose resolvers say what they did."""

    def __init__(self, text: str, *, at_once: bool = True) -> None:
        self.done: list[str] = []
        schema = build_schema(SDL)
        ways: dict[str, dict[str, Any]] = {
            "Query": {"many": Root(self._many), "missing": Root(self._missing), "bad": Root(self._one("bad", "odd"))},
            "Mutation": {"first": Root(self._one("first", "odd")), "second": Root(self._one("second", 1))},
            "A": {"name": Attribute("name"), "odd": Attribute("odd"), "friends": Relation(self._friends)},
        }
        for owner, fields in ways.items():
            for name, way in fields.items():
                schema.type_map[owner].fields[name].resolve = way  # type: ignore[attr-defined]
        document = parse(text)
        node = document.definitions[0]
        assert isinstance(node, OperationDefinitionNode)
        self.query = node.operation is OperationType.QUERY
        self.operation = Operation(schema, document, node, at_once=at_once)

    async def _many(self, _: Any, __: Info, size: int) -> list[A]:
        self.done.append("many")
        return [A() for _ in range(size)]

    async def _missing(self, *_: Any) -> A:
        raise NotFound

    def _one(self, name: str, odd: Any) -> Any:
        async def resolve(*_: Any) -> A:
            self.done.append(name)
            return A(odd)

        return resolve

    async def _friends(self, sources: Sequence[A], _: Info) -> list[int]:
        self.done.append(f"friends of {len(sources)}")
        await asyncio.sleep(0)
        return [None if source.odd == "odd" else 3 for source in sources]  # type: ignore[misc]

    async def run(self, inputs: dict[str, Any] | None = None, fields: int = 50_000) -> Any:
        return await self.operation.run(CONTEXT, inputs, Meter(fields))


async def test_a_document_is_compiled_when_it_is_asked_for_again() -> None:
    """Relations are asked once for all values then, in both ways. Seen failing with the plan made at the first use."""
    world = World("{ many(size: 3) { name friends } }", at_once=False)
    first = await world.run()
    assert not world.operation._plans
    second = await world.run()
    assert len(world.operation._plans) == 1
    assert first.data == second.data == {"many": [{"name": "x" * 10, "friends": 3}] * 3}
    assert world.done == ["many", "friends of 3"] * 2


async def test_what_was_resolved_is_not_resolved_again() -> None:
    """Neither a root nor a relation, where graphql-core tells the error; and what is whole stays as it is. Seen failing
    with Resolved given to graphql-core without what relations answered."""
    world = World("{ many(size: 2) { name } bad { friends } }")
    before = fallbacks()
    result = await world.run()
    assert [error.path for error in result.errors] == [["bad", "friends"]]
    assert result.data == {"many": [{"name": "x" * 10}] * 2, "bad": None}
    assert world.done == ["many", "bad", "friends of 1"]
    assert (fallbacks() - before).total() == 1


async def test_a_mutation_stops_where_its_plan_does_not_know_the_answer() -> None:
    """And graphql-core does the rest, in order. Seen failing with the next field begun before the last one was made."""
    world = World("mutation { second { friends } first { odd } again: second { friends } }")
    result = await world.run()
    assert world.done == ["second", "friends of 1", "first", "second", "friends of 1"]
    assert [error.path for error in result.errors] == [["first", "odd"]]
    assert result.data == {"second": {"friends": 3}, "first": None, "again": {"friends": 3}}


@pytest.mark.parametrize("beside", ["", "missing { name }"])
async def test_a_long_answer_lets_the_loop_turn(beside: str) -> None:
    """Also beside a field that fails. Seen failing with lists made in one go, and with all given to graphql-core where
    one field had failed."""
    world = World(f"{{ many(size: 12000) {{ name odd }} {beside} }}")
    turns, over = 0, False

    async def turn() -> None:
        nonlocal turns
        while not over:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.ensure_future(turn())
    await asyncio.sleep(0)
    before, read = turns, A.reads
    result = await world.run()
    over = True
    await turning
    assert len(result.data["many"]) == 12_000
    assert turns - before >= 5  # 24,000 fields
    assert A.reads - read == 12_000


async def test_too_large_an_answer_is_refused_by_the_plan_itself() -> None:
    """Seen failing with the refusal left to graphql-core, which would make all of it once more."""
    world = World("{ many(size: 12000) { name odd } }")
    before = fallbacks()
    with pytest.raises(AnswerTooLarge):
        await world.run(fields=20_000)
    assert not fallbacks() - before


async def test_an_operation_has_few_plans() -> None:
    """Seen failing with a plan for every truth."""
    world = World(
        "query($a: Boolean!, $b: Boolean!, $c: Boolean!) { many(size: 1) { name @skip(if: $a)"
        " odd @include(if: $b) friends @skip(if: $c) __typename } }"
    )
    truths = (False, True)
    given = [{"a": a, "b": b, "c": c} for a in truths for b in truths for c in truths]
    for inputs in given * 2:
        result = await world.run(inputs)
        assert set(result.data["many"][0]) == {
            *("__typename",),
            *(() if inputs["a"] else ("name",)),
            *(("odd",) if inputs["b"] else ()),
            *(() if inputs["c"] else ("friends",)),
        }
    assert len(world.operation._plans) == PLANS_MAX
    assert GRAPHQL_PLAN_FALLBACKS.labels("conditions")._value.get() >= 8


def _everything(schema: GraphQLSchema, kind: Any, depth: int) -> str:
    """All fields of a type, as deep as they go."""
    named = get_named_type(kind)
    if not isinstance(named, GraphQLObjectType):
        return ""
    fields = [
        name + _everything(schema, one.type, depth - 1)
        for name, one in named.fields.items()
        if depth or not isinstance(get_named_type(one.type), GraphQLObjectType)
    ]
    return f"{{ __typename {' '.join(fields)} }}"


def test_every_field_of_ours_has_a_plan() -> None:
    """Seen failing with an attribute of an attribute that no plan could read."""
    for root in (SCHEMA.query_type, SCHEMA.mutation_type):
        assert root is not None
        for name, field in root.fields.items():
            node = parse(f"{root.name.lower()} {{ {name} {_everything(SCHEMA, field.type, 5)} }}").definitions[0]
            assert isinstance(node, OperationDefinitionNode)
            assert [one.name for one in compiled(SCHEMA, {}, node, VariableValues({}, {})).roots] == [name]
