"""A selection as a writer: made once of what a document selects, it writes values as JSON without a look at it. Pure.

Which fields those are graphql-core says: fragments, merging, `@skip` and `@include`. The types have no interface, no
union, and no argument below a root.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
from graphql import FieldNode, GraphQLObjectType, GraphQLSchema, OperationDefinitionNode, get_named_type
from graphql.execution.collect_fields import FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues

from config.errors import BadInput

__all__ = ["Field", "Kind", "Root", "Write", "root_of", "writer"]

Write = Callable[[Any], bytes]
_TYPENAME: Final = "__typename"


class Field(NamedTuple):
    """One field of a selection: under which name it is told, which it is, and what is selected of it."""

    key: str
    name: str
    below: tuple["Field", ...] = ()


class Root(NamedTuple):
    """The one field of a subscription."""

    field: Field
    node: FieldNode


class Kind(NamedTuple):
    """A type of the schema. `fields`: how each is written, of a value of the type, with a writer of what is selected
    of it (None for a scalar)."""

    name: str
    fields: Mapping[str, tuple[Callable[[Any, Write], bytes], "Kind | None"]]


def root_of(
    schema: GraphQLSchema,
    fragments: dict[str, FragmentDetails],
    operation: OperationDefinitionNode,
    values: VariableValues,
) -> Root:
    """What an operation subscribes to. Raises BadInput where the variables leave nothing of it."""
    of = schema.subscription_type
    if of is None:
        raise BadInput("Nothing can be subscribed to")
    found = collect_fields(schema, fragments, values, of, operation).grouped_field_set
    if len(found) != 1:
        raise BadInput("A subscription has one field")
    ((key, details),) = found.items()
    node = details[0].node

    def below(owner: GraphQLObjectType, details: Any) -> tuple[Field, ...]:
        selected = collect_subfields(schema, fragments, values, operation, owner, details).grouped_field_set
        return tuple(field_of(owner, key, inner) for key, inner in selected.items())

    def field_of(owner: GraphQLObjectType, key: str, details: Any) -> Field:
        name = details[0].node.name.value
        definition = owner.fields.get(name)
        of = get_named_type(definition.type) if definition else None
        return Field(key, name, below(of, details) if isinstance(of, GraphQLObjectType) else ())

    return Root(field_of(of, key, details), node)


def writer(selection: Sequence[Field], kind: Kind) -> Write:
    """Writes an object of `kind` as the selection says."""
    pieces: list[tuple[bytes, Callable[[Any, Write], bytes], Write]] = []
    before = b"{"
    for field in selection:
        before += orjson.dumps(field.key) + b":"
        if field.name == _TYPENAME:
            before += orjson.dumps(kind.name) + b","
            continue
        write, of = kind.fields[field.name]
        pieces.append((before, write, _nothing if of is None else writer(field.below, of)))
        before = b","
    end = before.removesuffix(b",") + b"}"

    def written(value: Any) -> bytes:
        parts: list[bytes] = []
        for text, write, inner in pieces:
            parts += (text, write(value, inner))
        parts.append(end)
        return b"".join(parts)

    return written


def _nothing(_: Any) -> bytes:
    return b""
