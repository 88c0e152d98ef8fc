"""The schema: the SDL files of all features merged, with their resolvers bound to it."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    assert_valid_schema,
    build_schema,
)

from api.graphql.scalars import bind_date_time
from api.graphql.ways import Attribute, Item, Read, Relation, Root

Resolver = Callable[..., Any]
SDL_FILE: Final = "schema.graphql"
_ROOTS: Final = frozenset({"Query", "Mutation"})


class Feature(NamedTuple):
    """What a feature adds: its SDL, and resolvers by type and field, as ways.py says what they are; fields without one
    read the attribute that a camelCase name stands for."""

    sdl: str
    resolvers: Mapping[str, Mapping[str, Resolver]]


def feature(module_file: str, resolvers: Mapping[str, Mapping[str, Resolver]]) -> Feature:
    """The feature of a schema.py (pass `__file__`): its schema.graphql lies beside it."""
    return Feature((Path(module_file).parent / SDL_FILE).read_text("utf-8"), resolvers)


def sdl(features: Sequence[Feature]) -> str:
    """The SDL of all features, with what they share; api/sdl.py writes it down for the gateway."""
    return "\n".join([(Path(__file__).parent / SDL_FILE).read_text("utf-8"), *(one.sdl for one in features)])


def build(features: Sequence[Feature]) -> GraphQLSchema:
    """The executable schema. Raises ValueError for a root field without a resolver, a resolver without a field, and one
    below the root that is no function of its value."""
    schema = build_schema(sdl(features))
    assert_valid_schema(schema)
    date_time = schema.type_map["DateTime"]
    if not isinstance(date_time, GraphQLScalarType):
        raise ValueError("DateTime is not a scalar")  # noqa: TRY004 - the SDL is wrong, not a type of Python
    bind_date_time(date_time)
    for one in features:
        for name, fields in one.resolvers.items():
            _bind(schema, name, fields)
    _bind_attributes(schema)
    return schema


def _bind(schema: GraphQLSchema, name: str, fields: Mapping[str, Resolver]) -> None:
    owner = schema.type_map.get(name)
    for field, resolver in fields.items():
        if not isinstance(owner, GraphQLObjectType) or field not in owner.fields:
            raise ValueError(f"a resolver without a field: {name}.{field}")
        owner.fields[field].resolve = _way(resolver, owner.fields[field], root=name in _ROOTS)


def _way(resolver: Resolver, field: GraphQLField, *, root: bool) -> Resolver:
    if root:
        return Root(resolver)
    if field.args:  # no plan has such a field: a resolver as the library knows it
        return resolver
    return resolver if isinstance(resolver, (Attribute, Item, Relation)) else Read(resolver)


def _bind_attributes(schema: GraphQLSchema) -> None:
    for name, owner in schema.type_map.items():
        if not isinstance(owner, GraphQLObjectType) or name.startswith("__"):
            continue
        for field, definition in owner.fields.items():
            if definition.resolve is not None:
                continue
            if name in _ROOTS:
                raise ValueError(f"a root field without a resolver: {name}.{field}")
            definition.resolve = Attribute(re.sub(r"(?<!^)([A-Z])", r"_\1", field).lower())
