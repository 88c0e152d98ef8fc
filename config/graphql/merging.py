"""Whether fields of one response name can be one field of the answer (GraphQL, "Field Selection Merging"). Pure.

The library's rule compares each field with each, fragments with fragments: 20 fragments of 4 KB took half a second.
Here all that selects one place of the answer is gathered, fragments once each, and of each response name every field is
compared with the first: being the same field with the same arguments is an equivalence. One level deeper, their
selection sets are one set again. So each selection is looked at at most as often as it is reached, at most
`Measure.selections` times. The same documents are accepted as long as no type is an interface or a union (shape.py):
then all fields of one place are of one type. tests/unit/api/graphql/test_merging.py holds it against the library's.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)


class Conflict(NamedTuple):
    """Two fields that cannot be one."""

    first: FieldNode
    other: FieldNode
    reason: str


class Merging:
    """The merged selection sets of one document. `steps` counts the selections that were looked at."""

    def __init__(self, document: DocumentNode) -> None:
        self.steps = 0
        self._operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
        self._fragments: Mapping[str, FragmentDefinitionNode] = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }

    def conflict(self) -> Conflict | None:
        """The first conflict of any operation, or None. No fragment may contain itself (limits.py has looked)."""
        for operation in self._operations:
            found = self._conflict([operation.selection_set])
            if found is not None:
                return found
        return None

    def fields(self, sets: Iterable[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """The fields of one place, by response name, that all `sets` select together."""
        groups: dict[str, list[FieldNode]] = {}
        spread: set[str] = set()
        pending = list(sets)
        while pending:
            for selection in pending.pop().selections:
                self.steps += 1
                if isinstance(selection, FieldNode):
                    name = (selection.alias or selection.name).value
                    groups.setdefault(name, []).append(selection)
                elif isinstance(selection, InlineFragmentNode):
                    pending.append(selection.selection_set)
                elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                    spread.add(selection.name.value)
                    fragment = self._fragments.get(selection.name.value)
                    if fragment is not None:  # else validation names it
                        pending.append(fragment.selection_set)
        return groups

    def _conflict(self, sets: list[SelectionSetNode]) -> Conflict | None:
        for fields in self.fields(sets).values():
            found = _difference(fields)
            below = [one.selection_set for one in fields if one.selection_set is not None]
            if found is None and below:
                found = self._conflict(below)
            if found is not None:
                return found
        return None


def _difference(fields: list[FieldNode]) -> Conflict | None:
    if len(fields) == 1:
        return None
    first = fields[0]
    arguments = _arguments(first)
    for other in fields[1:]:
        if other.name.value != first.name.value:
            return Conflict(first, other, "they are different fields")
        if _arguments(other) != arguments:
            return Conflict(first, other, "they have differing arguments")
    return None


def _arguments(field: FieldNode) -> dict[str, Any]:
    return {argument.name.value: _meaning(argument.value) for argument in field.arguments or ()}


def _meaning(value: ValueNode) -> Any:
    """What is equal for two literals that say the same; the order of an object's fields says nothing."""
    if isinstance(value, VariableNode):
        return ("variable", value.name.value)
    if isinstance(value, ObjectValueNode):
        # Sorted and not a mapping: a field that stands twice is an error of its own, which must not be hidden.
        return ("object", sorted(((one.name.value, _meaning(one.value)) for one in value.fields), key=_name))
    if isinstance(value, ListValueNode):
        return ("list", [_meaning(one) for one in value.values])
    if isinstance(value, StringValueNode):
        return ("string", value.value, bool(value.block))
    if isinstance(value, NullValueNode):
        return ("null",)
    return (value.kind, value.value)  # type: ignore[attr-defined]  # numbers, booleans and enums all have one


def _name(field: tuple[str, Any]) -> str:
    return field[0]
