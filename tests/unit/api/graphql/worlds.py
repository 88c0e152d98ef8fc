"""Schemas, values and operations that nobody would write, with faults planted in the values: each by its seed.

The schema is built twice: as features do it (ways.py), and with plain resolvers, for graphql-core alone.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from graphql import GraphQLError, GraphQLScalarType, GraphQLSchema, Undefined, build_schema
from msgspec import Raw

from api.graphql.context import Info
from api.graphql.scalars import bind_date_time
from api.graphql.ways import Attribute, Item, Read, Relation, Root

LEAVES: Final = ("String", "ID", "Int", "Float", "Boolean", "JSON", "DateTime", "E")
HEAD: Final = "enum E { A B } scalar JSON scalar DateTime directive @all(int: Int, id: ID) on FIELD "
INPUTS: Final[tuple[dict[str, Any], ...]] = (
    *({"k": False}, {"k": True}, {"k": False, "c": False, "n": 9}, {"k": False, "n": None}, {"k": True, "c": False}),
    *({"k": "no"}, {}, {"k": False, "n": 2**40}, {"k": False, "c": None}),
)


class Boom(Exception):
    """A fault that was planted."""


class Thing:
    """A value of an object type, read by attribute and by key."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    @property
    def own(self) -> "Thing":
        return self

    def __getitem__(self, key: str) -> Any:
        return self.__dict__[key]


class Field:
    """A field of the schema: its type, and by which way it is read."""

    def __init__(self, kind: str, way: str, arguments: str, *, broken: bool) -> None:
        self.kind = kind
        self.way = way
        self.arguments = arguments
        self.broken = broken  # a relation that raises for all

    @property
    def named(self) -> str:
        return self.kind.strip("[]!")


class World:
    """One schema with its values, operations on it, and what was called when they were run.

    `faults`: which share of the values is odd. `planned`: the operation needs nothing that no plan has.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.faults = self.chance.choice((0, 0, 0.01, 0.04, 0.15))
        self.log: list[tuple[str, str]] = []
        self.planned = True
        self.mutation = False
        self.values: dict[str, Any] = {}
        self._typed = False
        self._fragments: list[str] = []
        self._said: dict[str, str] = {}  # of each field the one spelling of its arguments: so fields merge
        self.types = self._types()
        self.roots = {"Query": self._roots("q", 4), "Mutation": self._roots("m", 3)}

    # --- the schema

    @property
    def objects(self) -> tuple[str, ...]:
        return tuple(f"T{n}" for n in range(3))

    def _types(self) -> dict[str, dict[str, Field]]:
        return {
            name: {"id": Field("ID!", "attribute", "", broken=False), **self._fields(name, self.chance.randint(2, 6))}
            for name in self.objects
        }

    def _fields(self, owner: str, count: int) -> dict[str, Field]:
        ways = ("attribute", "inner", "item", "read", "relation", "waiting")
        return {
            f"{owner.lower()}f{n}": Field(
                self._kind(),
                self.chance.choice(ways),
                "(n: Int)" if self.chance.random() < 0.02 else "",
                broken=self.faults > 0 and self.chance.random() < 0.05,
            )
            for n in range(count)
        }

    def _roots(self, prefix: str, count: int) -> dict[str, Field]:
        return {
            f"{prefix}{n}": Field(
                self._kind(),
                self.chance.choice(("root", "waiting")),
                self.chance.choice(("", "", "(n: Int = 3)", "(n: Int!)", "(id: ID, n: Int)")),
                broken=False,
            )
            for n in range(count)
        }

    def _kind(self) -> str:
        of = self.objects * 3 + (("I", "U") if self.chance.random() < 0.1 else ())
        kind = self.chance.choice(LEAVES) if self.chance.random() < 0.5 else self.chance.choice(of)
        for _ in range(self.chance.choice((0, 0, 0, 1, 1, 2))):
            kind = f"[{kind}{self.chance.choice(('', '!'))}]"
        return kind + self.chance.choice(("", "!"))

    def sdl(self) -> str:
        def body(fields: Mapping[str, Field]) -> str:
            return "{" + " ".join(f"{name}{one.arguments}: {one.kind}" for name, one in fields.items()) + "}"

        types = " ".join(f"type {name} implements I {body(fields)}" for name, fields in self.types.items())
        roots = " ".join(f"type {name} {body(fields)}" for name, fields in self.roots.items())
        return f"{HEAD} interface I {{id: ID!}} union U = {' | '.join(self.objects)} {types} {roots}"

    def schema(self, *, plain: bool) -> GraphQLSchema:
        """As graphql-core alone has it, or as features bind it."""
        schema = build_schema(self.sdl(), assume_valid=True, assume_valid_sdl=True)
        date_time = schema.type_map["DateTime"]
        assert isinstance(date_time, GraphQLScalarType)
        bind_date_time(date_time)
        for owner, fields in (self.types | self.roots).items():
            for name, one in fields.items():
                way = self._root(name, one) if owner in self.roots else _way(name, one)
                resolve = _alone(way) if plain and isinstance(way, Relation) else way
                schema.type_map[owner].fields[name].resolve = (  # type: ignore[attr-defined]
                    way.of if plain and isinstance(way, Root) else resolve
                )
        return schema

    def _root(self, name: str, one: Field) -> Root:
        def value(arguments: Mapping[str, Any]) -> Any:
            self.log.append((name, repr(sorted(arguments.items()))))
            found = self.values[name]
            if isinstance(found, Boom) and found.args == ("raised",):
                raise found
            return found

        async def waiting(_: Any, __: Info, **arguments: Any) -> Any:
            found = value(arguments)
            await asyncio.sleep(0)
            return found

        return Root(waiting if one.way == "waiting" else lambda _, __, **arguments: value(arguments))

    # --- values

    def fill(self) -> None:
        """Other values for the roots of the operation, at times odd only in what their own type refuses."""
        self._typed = self.faults > 0 and self.chance.random() < 0.4
        for name, one in self.roots["Mutation" if self.mutation else "Query"].items():
            self.values[name] = Boom("raised") if self._odd() else self._value(one.kind, 0)

    def _odd(self) -> bool:
        return not self._typed and self.chance.random() < self.faults

    def _value(self, kind: str, depth: int) -> Any:
        if self._typed:
            if kind.rstrip("!") in _ODD and self.chance.random() < 0.2:
                return self.chance.choice(_ODD[kind.rstrip("!")])
        elif self._odd():
            odd = (None, 5, "s", True, 2.5, Boom("value"), [1], (), {"a": 1}, {3}, float("nan"), 2**40, Undefined, b"x")
            return self.chance.choice(odd)
        if kind.endswith("!"):
            return self._present(kind[:-1], depth)
        return None if self.chance.random() < 0.15 else self._present(kind, depth)

    def _present(self, kind: str, depth: int) -> Any:
        if kind.startswith("["):
            count = self.chance.choice((0, 1, 2, 3)[: 4 - depth // 2])
            return self.chance.choice((list, tuple))([self._value(kind[1:-1], depth + 1) for _ in range(count)])
        if kind in LEAVES:
            return self.chance.choice(_GOOD[kind])
        name = self.chance.choice(self.objects) if kind in "IU" else kind
        if depth > 5:
            return self._bottom(name)
        fields = {field: self._value(one.kind, depth + 1) for field, one in self.types[name].items()}
        return Thing(__typename=name, **fields)

    def _bottom(self, name: str) -> Thing:
        """An end of the recursion: itself where an object must be."""
        thing = Thing(__typename=name)
        for field, one in self.types[name].items():
            inner = one.kind.removesuffix("!")
            value: Any = None
            if one.kind.endswith("!"):
                value = [] if inner.startswith("[") else _GOOD[inner][0] if inner in LEAVES else self._bottom_of(inner)
            thing.__dict__[field] = value
        return thing

    def _bottom_of(self, kind: str) -> Thing:
        name = self.objects[0] if kind in "IU" else kind
        bottoms = self.__dict__.setdefault("_bottoms", {})
        if name not in bottoms:
            bottoms[name] = Thing()
            bottoms[name].__dict__.update(self._bottom(name).__dict__)
        found: Thing = bottoms[name]
        return found

    # --- the operation

    def operation(self) -> str:
        """The text of the next one."""
        self.mutation, self.planned = self.chance.random() < 0.3, True
        self._fragments, self._said = [], {}
        kind = "Mutation" if self.mutation else "Query"
        body = self._set(kind, 0)
        head = f"{kind.lower()} O($n: Int, $m: Int! = 2, $c: Boolean! = true, $k: Boolean!)"
        return " ".join((head, body, *self._fragments))

    def _set(self, kind: str, depth: int) -> str:
        return "{" + " ".join(self._selection(kind, depth) for _ in range(self.chance.randint(1, 4))) + "}"

    def _selection(self, kind: str, depth: int) -> str:
        drawn = self.chance.random()
        fields = self.roots.get(kind) or self.types.get(kind) or {}
        if kind in "IU":
            self.planned = False
        if drawn < 0.1 or (not fields and drawn < 0.4) or depth > 5:
            return "__typename" + self._directive()
        if drawn < 0.3 or not fields:
            return self._fragment(kind, depth)
        name, one = self.chance.choice(list(fields.items()))
        composite = one.named not in LEAVES
        if one.arguments and depth:
            self.planned = False
        alias = self.chance.choice(("", "", "", f"{name}a: ", f"{name}b: "))
        said = self._said.setdefault(name, self._arguments(one))
        return alias + name + said + self._directive() + (self._set(one.named, depth + 1) if composite else "")

    def _fragment(self, kind: str, depth: int) -> str:
        on = kind if kind in self.roots else self.chance.choice(("I", kind, *(self.objects if kind in "IU" else ())))
        if self.chance.random() < 0.5:
            return f"... on {on}{self._directive()} {self._set(on, depth + 1) if on != 'I' else '{id}'}"
        number = len(self._fragments)
        self._fragments.append("")
        self._fragments[number] = f"fragment F{number} on {on} {self._set(on, depth + 1) if on != 'I' else '{id}'}"
        return f"...F{number}{self._directive()}"

    def _arguments(self, one: Field) -> str:
        if one.arguments == "(n: Int!)":
            return self.chance.choice(("(n: 1)", "(n: $m)"))
        if "n: Int" in one.arguments:
            return self.chance.choice(("", "(n: $n)", "(n: 7)", "(n: null)"))
        return ""

    def _directive(self) -> str:
        return self.chance.choice(("",) * 12 + (" @include(if: $c)", " @skip(if: $k)", " @skip(if: false)"))


_GOOD: Final[dict[str, tuple[Any, ...]]] = {
    "String": ("a", "é", "", 7, 2.5),
    "ID": ("x1", "", 5),
    "Int": (4, -7, True, "12", 3.0),
    "Float": (1.5, 2, "2.5", -0.0),
    "Boolean": (True, False, 1, 0.0),
    "JSON": (Raw(b'{"v":1}'), {"k": [1, None]}, [], "text", 5, False),
    "DateTime": ("2026-11-20T18:05:09.250Z",),
    "E": ("A", "B"),
}


# What only the type itself refuses.
_ODD: Final[dict[str, tuple[Any, ...]]] = {
    "Int": (2**31, -(2**31) - 1),
    "Float": (float("inf"), float("nan")),
    "E": ("C", "a"),
}


def _way(name: str, one: Field) -> Callable[..., Any]:
    if one.arguments:
        return lambda source, _, **__: source[name]

    def read(source: Thing) -> Any:
        return source[name]

    def told(source: Thing) -> Any:
        try:
            return source[name]
        except (TypeError, KeyError) as error:
            return error

    def many(sources: Sequence[Thing], _: Info) -> list[Any]:
        if one.broken:
            raise GraphQLError("broken")
        return [told(source) for source in sources]

    async def later(sources: Sequence[Thing], info: Info) -> list[Any]:
        await asyncio.sleep(0)
        return many(sources, info)

    match one.way:
        case "inner":
            return Attribute(f"own.{name}")
        case "item":
            return Item(name)
        case "read":
            return Read(read)
        case "relation":
            return Relation(many)
        case "waiting":
            return Relation(later)
        case _:
            return Attribute(name)


def _alone(relation: Relation) -> Callable[..., Any]:
    """The relation as a resolver of one value."""
    if not relation.waits:
        return lambda source, info: relation.of([source], info)[0]

    async def resolve(source: Any, info: Info) -> Any:
        return (await relation.of([source], info))[0]

    return resolve
