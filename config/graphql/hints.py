"""How long an answer may be kept, for whom, and what ends it earlier: what the SDL says of it, read once. Pure.

`@cacheControl(maxAge: seconds, scope: PRIVATE)` on a field or a type, as Apollo Server spells it. Of all hints that a
document reaches, the shortest holds, and one PRIVATE makes the answer its viewer's own. Two things are said more
strictly than there: each root field needs a hint, its own or its type's, or nothing of the document is kept; and what
has none below it lives as long as what is around it, so that all that depends on the viewer must say PRIVATE
(tests/integration/api/test_response_cache.py compares what viewers get).

`@drops(types: [names], userIn: argument)` on a mutation: it also ends what is kept with these types in it, and what is
kept for the user whom the argument names. What is kept for the viewer ends with every mutation.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple
from uuid import UUID

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_object_type,
    value_from_ast_untyped,
)

_ROOTS: Final = {
    OperationType.QUERY: "Query",
    OperationType.MUTATION: "Mutation",
    OperationType.SUBSCRIPTION: "Subscription",
}
_PRIVATE: Final = "PRIVATE"


class Hint(NamedTuple):
    """One field, together with its type's. `life_s` is None where neither says one; `of` is None for a leaf."""

    life_s: int | None
    own: bool
    of: str | None
    drops: tuple[str, ...] = ()
    user_in: str | None = None


class Policy(NamedTuple):
    """Of an operation: how many seconds its answer may be kept (0: not at all), whether it is its viewer's own, the
    types in it; of a mutation what it ends, and the values that name users."""

    life_s: int
    own: bool
    types: frozenset[str]
    drops: tuple[str, ...] = ()
    users: tuple[Any, ...] = ()  # nodes of the document: literals or variables

    def named(self, variables: Mapping[str, Any] | None) -> frozenset[str]:
        """The ids of users whom a mutation names, however the client has spelt them."""
        found = set()
        for node in self.users:
            with suppress(ValueError):
                found.add(str(UUID(str(value_from_ast_untyped(node, dict(variables or {}))))))
        return frozenset(found)


# By the names of a type and of its field.
Hints = Mapping[tuple[str, str], Hint]


def read(schema: GraphQLSchema) -> Hints:
    """The hints of all fields. Raises ValueError where a mutation drops a type that does not exist."""
    hints = dict(_fields(schema))
    for (owner, field), hint in hints.items():
        if unknown := [name for name in hint.drops if not is_object_type(schema.type_map.get(name))]:
            raise ValueError(f"{owner}.{field} drops what is no type: {unknown}")
        if hint.user_in is not None and hint.user_in not in _type(schema, owner).fields[field].args:
            raise ValueError(f"{owner}.{field} has no argument {hint.user_in}")
    return hints


def policy(document: DocumentNode, operation: OperationDefinitionNode, hints: Hints) -> Policy:
    """What holds for an operation of a valid document. `@skip` and `@include` are not looked at: what may be left out
    counts."""
    walk = _Walk(document, hints)
    root = _ROOTS.get(operation.operation, "")
    walk.selections(operation.selection_set, root)
    if root != "Query":
        return Policy(0, own=True, types=frozenset(), drops=tuple(walk.drops), users=tuple(walk.users))
    return Policy(walk.life_s or 0, walk.own, frozenset(walk.types))


class _Walk:
    """One walk over an operation; each fragment is entered once."""

    def __init__(self, document: DocumentNode, hints: Hints) -> None:
        self.life_s: int | None = None
        self.own = False
        self.types: set[str] = set()
        self.drops: list[str] = []
        self.users: list[Any] = []
        self._hints = hints
        self._entered: set[str] = set()
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }

    def selections(self, selections: SelectionSetNode, of: str) -> None:
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                self._field(selection, of)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                self.selections(selection.selection_set, condition.name.value if condition else of)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in self._entered:
                self._entered.add(selection.name.value)
                fragment = self._fragments[selection.name.value]
                self.selections(fragment.selection_set, fragment.type_condition.name.value)

    def _field(self, field: FieldNode, of: str) -> None:
        hint = self._hints.get((of, field.name.value))
        if hint is None:  # of introspection
            if of == "Query" and field.name.value != "__typename":
                self._live(0)
            return
        if hint.life_s is not None or of == "Query":
            self._live(hint.life_s or 0)
        self.own = self.own or hint.own
        self.drops += hint.drops
        self.users += [one.value for one in field.arguments or () if one.name.value == hint.user_in]
        if hint.of is not None:
            self.types.add(hint.of)
        if hint.of is not None and field.selection_set is not None:
            self.selections(field.selection_set, hint.of)

    def _live(self, life_s: int) -> None:
        self.life_s = life_s if self.life_s is None else min(self.life_s, life_s)


def _fields(schema: GraphQLSchema) -> Iterator[tuple[tuple[str, str], Hint]]:
    for name, owner in schema.type_map.items():
        if not isinstance(owner, GraphQLObjectType) or name.startswith("__"):
            continue
        for field, definition in owner.fields.items():
            of = get_named_type(definition.type)
            said = [_said(definition.ast_node, "cacheControl")]
            if isinstance(of, GraphQLObjectType):
                said += [_said(node, "cacheControl") for node in (of.ast_node, *of.extension_ast_nodes)]
            lives = [one["maxAge"] for one in said if "maxAge" in one]
            own = any(one.get("scope") == _PRIVATE for one in said)
            drops = _said(definition.ast_node, "drops")
            yield (
                (name, field),
                Hint(
                    min(lives) if lives else None,
                    own,
                    of.name if isinstance(of, GraphQLObjectType) else None,
                    tuple(drops.get("types", ())),
                    drops.get("userIn"),
                ),
            )


def _said(node: Any, name: str) -> dict[str, Any]:
    """The arguments of a directive on a definition."""
    directives: tuple[DirectiveNode, ...] = (node.directives if node else None) or ()
    for one in directives:
        if one.name.value == name:
            return {argument.name.value: value_from_ast_untyped(argument.value) for argument in one.arguments or ()}
    return {}


def _type(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    found = schema.type_map[name]
    assert isinstance(found, GraphQLObjectType)  # noqa: S101 - it is one of those that `_fields` gave
    return found
