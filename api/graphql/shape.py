"""What the schema says of its fields besides their types, read once: how long a list is, who may ask. Pure.

A list field says `@listSize(assumedSize: n)` in its SDL; only `edges` of a connection needs no word, since `first` says
how many. A field for whoever is signed in says `@signedIn`.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
)
from graphql.type import GraphQLAbstractType

_PAGED: Final = "edges"


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
        if name.startswith("__"):
            continue
        if isinstance(owner, GraphQLAbstractType):
            raise ValueError(f"{name}: the measure of documents (merging.py) knows no interface and no union")  # noqa: TRY004
        if isinstance(owner, GraphQLObjectType):
            for field, definition in owner.fields.items():
                yield (name, field), _shape(f"{name}.{field}", field, definition)


def _shape(path: str, field: str, definition: GraphQLField) -> FieldShape:
    nullable = not is_non_null_type(definition.type)
    size = None
    if is_list_type(definition.type if nullable else definition.type.of_type) and field != _PAGED:
        size = _size(definition)
        if size is None:
            raise ValueError(f"{path}: a list says its size: @listSize(assumedSize: n) in the SDL")
    return FieldShape(get_named_type(definition.type).name, size, _says(definition, "signedIn"), nullable)


def _says(definition: GraphQLField, directive: str) -> bool:
    return definition.ast_node is not None and any(
        one.name.value == directive for one in definition.ast_node.directives or ()
    )


def _size(definition: GraphQLField) -> int | None:
    for one in (definition.ast_node.directives if definition.ast_node else None) or ():
        if one.name.value == "listSize":
            value = one.arguments[0].value
            return int(value.value) if isinstance(value, IntValueNode) else None
    return None
