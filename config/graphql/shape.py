"""What the schema says of its fields besides their types, read once: how long a list is, who may ask. Pure.

A list field says `@listSize(assumedSize: n)` in its SDL; only `edges` of a connection needs no word, since `first` says
how many. A field for whoever is signed in says `@signedIn`.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from graphql import (
    DirectiveNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    IntValueNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_non_null_type,
)

_CONNECTION: Final = "Connection"


class FieldShape(NamedTuple):
    """One field. `of`: the name of its type without lists and non-null; `size`: items of a plain list, else None."""

    of: str
    size: int | None
    signed_in: bool
    nullable: bool


# By the name of a type and of its field; those of introspection are not in it.
Shape = Mapping[tuple[str, str], FieldShape]


def read(schema: GraphQLSchema) -> Shape:
    """The shape of all fields. Raises ValueError for a list that says no size, and for what is not measured here."""
    return dict(_fields(schema))


def _fields(schema: GraphQLSchema) -> Iterator[tuple[tuple[str, str], FieldShape]]:
    for name, owner in schema.type_map.items():
        if isinstance(owner, (GraphQLInterfaceType, GraphQLUnionType)):
            raise ValueError(f"{name}: merging.py knows no interface and no union")  # noqa: TRY004 - the SDL is wrong
        if isinstance(owner, GraphQLObjectType) and not name.startswith("__"):
            for field, definition in owner.fields.items():
                yield (name, field), _shape(name, field, definition)


def _shape(owner: str, field: str, definition: GraphQLField) -> FieldShape:
    of = get_named_type(definition.type).name
    size = _size(definition)
    edges = field == "edges" and owner.endswith(_CONNECTION)
    if is_list_type(get_nullable_type(definition.type)) and size is None and not edges:
        raise ValueError(f"{owner}.{field}: a list says its size, @listSize(assumedSize: n), or is a connection")
    if of.endswith(_CONNECTION) and "first" not in definition.args:
        raise ValueError(f"{owner}.{field}: a connection takes `first`")
    signed_in = _directive(definition, "signedIn") is not None
    return FieldShape(of, size, signed_in, not is_non_null_type(definition.type))


def _size(definition: GraphQLField) -> int | None:
    directive = _directive(definition, "listSize")
    value = directive.arguments[0].value if directive and directive.arguments else None
    return int(value.value) if isinstance(value, IntValueNode) else None


def _directive(definition: GraphQLField, name: str) -> DirectiveNode | None:
    found = definition.ast_node.directives if definition.ast_node else None
    return next((one for one in found or () if one.name.value == name), None)
