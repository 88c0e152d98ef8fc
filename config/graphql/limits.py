"""What a document may ask for, measured in one walk before it is validated or executed. Pure.

Depth counts nested fields. Aliases, cost and selections count each of them as often as it is reached, so a fragment
that is spread ten times counts ten times. A field costs 1. Below a list everything costs as many times as much as the
list has pages of PAGE_DEFAULT: ⌈n / PAGE_DEFAULT⌉ with `first: n`, where a variable counts as PAGE_MAX, because the
measure is kept with the document; n / PAGE_DEFAULT, at least 1, where the schema says that a plain list has n items
(shape.py).

Selections (fields, spreads and inline fragments) bound the work of this server on the document itself; cost bounds the
work of answering it, together with `fields_max`, which the executor counts while it answers: what lists really hold.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    NamedTypeNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

from config.errors import BadInput
from config.graphql.shape import Shape
from config.limits import (
    GRAPHQL_ALIASES_MAX,
    GRAPHQL_DEPTH_MAX,
    GRAPHQL_FIELDS_PER_COST,
    GRAPHQL_SELECTIONS_MAX,
    PAGE_DEFAULT,
    PAGE_MAX,
)

# By the tier of whoever asks.
COST_MAX: Final[Mapping[str, int]] = {"anonymous": 100, "free": 500, "premium": 1_000}

# Selections inside selections, fragments included: far above what GRAPHQL_DEPTH_MAX allows a sane document, far
# below the interpreter's recursion limit.
_NESTING_MAX: Final = 60
_INTROSPECTION: Final = frozenset({"__schema", "__type"})
_ROOTS: Final = {
    OperationType.QUERY: "Query",
    OperationType.MUTATION: "Mutation",
    OperationType.SUBSCRIPTION: "Subscription",
}


class Measure(NamedTuple):
    """What one operation or fragment asks for."""

    depth: int
    aliases: int
    cost: int
    selections: int


def fields_max(tier: str) -> int:
    """How many fields an answer to somebody of `tier` may have, each item of a list counted."""
    return COST_MAX[tier] * GRAPHQL_FIELDS_PER_COST


def check(document: DocumentNode, tier: str, shape: Shape, *, introspection: bool) -> Measure:
    """The measure of the document's largest operation; its `selections` are those of the whole document, unused
    fragments included. Raises BadInput where it is beyond a limit of `tier`."""
    walk = _Walk(document, shape, introspection=introspection)
    operations = [
        walk.selections(definition.selection_set, _ROOTS[definition.operation], 0)
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    ]
    # Also those that nobody spreads: they are validated.
    fragments = [
        walk.fragment(definition.name.value, 0)
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    ]
    selections = sum(one.selections for one in operations + fragments)
    largest = _largest(operations)._replace(selections=selections)
    if largest.depth > GRAPHQL_DEPTH_MAX:
        raise BadInput(f"The query is {largest.depth} levels deep; {GRAPHQL_DEPTH_MAX} are allowed")
    if largest.aliases > GRAPHQL_ALIASES_MAX:
        raise BadInput(f"The query has {largest.aliases} aliases; {GRAPHQL_ALIASES_MAX} are allowed")
    if largest.cost > COST_MAX[tier]:
        raise BadInput(f"The query costs {largest.cost}; {COST_MAX[tier]} are allowed")
    if selections > GRAPHQL_SELECTIONS_MAX:
        raise BadInput(
            f"The document has {selections} selections, fragments counted where they are spread;"
            f" {GRAPHQL_SELECTIONS_MAX} are allowed"
        )
    return largest


def check_batch(cost: int, aliases: int, tier: str) -> None:
    """Raises BadInput where the operations of one request together are beyond what one may have."""
    if cost > COST_MAX[tier]:
        raise BadInput(f"The operations cost {cost} together; {COST_MAX[tier]} are allowed")
    if aliases > GRAPHQL_ALIASES_MAX:
        raise BadInput(f"The operations have {aliases} aliases together; {GRAPHQL_ALIASES_MAX} are allowed")


def _largest(measures: Iterable[Measure]) -> Measure:
    largest = Measure(0, 0, 0, 0)
    for one in measures:
        largest = Measure(*map(max, largest, one))
    return largest


class _Walk:
    """One walk over a document; each fragment is measured once."""

    def __init__(self, document: DocumentNode, shape: Shape, *, introspection: bool) -> None:
        self._shape = shape
        self._introspection = introspection
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, Measure] = {}
        self._open: set[str] = set()

    def selections(self, selections: SelectionSetNode, of: str, nesting: int) -> Measure:
        """The measure of a selection set on the type `of`, which is empty below what the schema does not know."""
        if nesting > _NESTING_MAX:
            raise BadInput(f"The query is more than {_NESTING_MAX} levels deep; {GRAPHQL_DEPTH_MAX} are allowed")
        depth = aliases = cost = 0
        count = len(selections.selections)
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                found = self._field(selection, of, nesting)
            elif isinstance(selection, FragmentSpreadNode):
                found = self.fragment(selection.name.value, nesting)
            elif isinstance(selection, InlineFragmentNode):
                found = self.selections(selection.selection_set, _on(selection.type_condition, of), nesting + 1)
            else:
                continue
            depth = max(depth, found.depth)
            aliases += found.aliases
            cost += found.cost
            count += found.selections
        return Measure(depth, aliases, cost, count)

    def _field(self, field: FieldNode, of: str, nesting: int) -> Measure:
        alias = 1 if field.alias else 0
        name = field.name.value
        if name in _INTROSPECTION and not self._introspection:
            raise BadInput("Introspection is off")
        if field.selection_set is None:
            return Measure(1, alias, 1, 0)
        shape = self._shape.get((of, name))
        inner = self.selections(field.selection_set, shape.of if shape else "", nesting + 1)
        if name in _INTROSPECTION:  # deep by nature: the library has a rule of its own for it
            return Measure(1, alias, 1, inner.selections)
        size = (shape.size if shape else None) or 0
        below = max(_pages(field) * inner.cost, -(-size * inner.cost // PAGE_DEFAULT))
        return Measure(inner.depth + 1, inner.aliases + alias, 1 + below, inner.selections)

    def fragment(self, name: str, nesting: int) -> Measure:
        if name not in self._measured:
            if name in self._open:
                raise BadInput("A fragment contains itself")
            if name not in self._fragments:
                return Measure(0, 0, 0, 0)  # validation names the missing fragment
            fragment = self._fragments[name]
            self._open.add(name)
            self._measured[name] = self.selections(
                fragment.selection_set, _on(fragment.type_condition, ""), nesting + 1
            )
            self._open.discard(name)
        return self._measured[name]


def _on(condition: NamedTypeNode | None, of: str) -> str:
    return condition.name.value if condition else of


def _pages(field: FieldNode) -> int:
    """Pages of the default size that the field asks for."""
    for argument in field.arguments or ():
        if argument.name.value == "first":
            value = argument.value
            first = int(value.value[:9]) if isinstance(value, IntValueNode) else PAGE_MAX
            return max(1, -(-first // PAGE_DEFAULT))
    return 1
