"""What a document may ask for, measured in one walk before it is validated or executed. Pure.

Depth counts nested fields. Aliases and cost count each field as often as it is reached, so a fragment that is
spread ten times counts ten times. A field costs 1; below a field with `first: n` everything costs ⌈n / PAGE_DEFAULT⌉
times as much, and a variable there counts as PAGE_MAX, because the measure is kept with the document.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from api.errors import BadInput
from config.limits import GRAPHQL_ALIASES_MAX, GRAPHQL_DEPTH_MAX, PAGE_DEFAULT, PAGE_MAX

# By the tier of whoever asks.
COST_MAX: Final[Mapping[str, int]] = {"anonymous": 100, "free": 500, "premium": 1_000}

# Selections inside selections, fragments included: far above what GRAPHQL_DEPTH_MAX allows a sane document, far
# below the interpreter's recursion limit.
_NESTING_MAX: Final = 60
# The same field again and again in one place: validation compares each with each.
_REPEATS_MAX: Final = 20
_INTROSPECTION: Final = frozenset({"__schema", "__type"})


class Measure(NamedTuple):
    """What one operation asks for."""

    depth: int
    aliases: int
    cost: int


def check(document: DocumentNode, tier: str, *, introspection: bool) -> Measure:
    """The measure of the document's largest operation. Raises BadInput where it is beyond a limit of `tier`."""
    walk = _Walk(document, introspection=introspection)
    largest = Measure(0, 0, 0)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            found = walk.selections(definition.selection_set, 0)
            largest = Measure(*map(max, largest, found))
        elif isinstance(definition, FragmentDefinitionNode):
            walk.fragment(definition.name.value, 0)  # also one that nobody spreads is validated
    if largest.depth > GRAPHQL_DEPTH_MAX:
        raise BadInput(f"The query is {largest.depth} levels deep; {GRAPHQL_DEPTH_MAX} are allowed")
    if largest.aliases > GRAPHQL_ALIASES_MAX:
        raise BadInput(f"The query has {largest.aliases} aliases; {GRAPHQL_ALIASES_MAX} are allowed")
    if largest.cost > COST_MAX[tier]:
        raise BadInput(f"The query costs {largest.cost}; {COST_MAX[tier]} are allowed")
    return largest


class _Walk:
    """One walk over a document; each fragment is measured once."""

    def __init__(self, document: DocumentNode, *, introspection: bool) -> None:
        self._introspection = introspection
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, Measure] = {}
        self._open: set[str] = set()

    def selections(self, selections: SelectionSetNode, nesting: int) -> Measure:
        if nesting > _NESTING_MAX:
            raise BadInput(f"The query is more than {_NESTING_MAX} levels deep; {GRAPHQL_DEPTH_MAX} are allowed")
        depth = aliases = cost = 0
        repeats: Counter[str] = Counter()
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                repeats[selection.name.value] += 1
                found = self._field(selection, nesting)
            elif isinstance(selection, FragmentSpreadNode):
                found = self.fragment(selection.name.value, nesting)
            elif isinstance(selection, InlineFragmentNode):
                found = self.selections(selection.selection_set, nesting + 1)
            else:
                continue
            depth = max(depth, found.depth)
            aliases += found.aliases
            cost += found.cost
        if repeats and max(repeats.values()) > _REPEATS_MAX:
            raise BadInput(f"A field stands more than {_REPEATS_MAX} times in one place")
        return Measure(depth, aliases, cost)

    def _field(self, field: FieldNode, nesting: int) -> Measure:
        alias = 1 if field.alias else 0
        if field.name.value in _INTROSPECTION:
            if not self._introspection:
                raise BadInput("Introspection is off")
            return Measure(1, alias, 1)  # the library's own rule bounds what stands below
        if field.selection_set is None:
            return Measure(1, alias, 1)
        inner = self.selections(field.selection_set, nesting + 1)
        return Measure(inner.depth + 1, inner.aliases + alias, 1 + _pages(field) * inner.cost)

    def fragment(self, name: str, nesting: int) -> Measure:
        if name not in self._measured:
            if name in self._open:
                raise BadInput("A fragment contains itself")
            if name not in self._fragments:
                return Measure(0, 0, 0)  # validation names the missing fragment
            self._open.add(name)
            self._measured[name] = self.selections(self._fragments[name].selection_set, nesting + 1)
            self._open.discard(name)
        return self._measured[name]


def _pages(field: FieldNode) -> int:
    """Pages of the default size that the field asks for."""
    for argument in field.arguments or ():
        if argument.name.value == "first":
            value = argument.value
            first = int(value.value[:9]) if isinstance(value, IntValueNode) else PAGE_MAX
            return max(1, -(-first // PAGE_DEFAULT))
    return 1
