"""Leaves of an answer in a plan: what passes as it is, and the way of the rest. Pure."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn

from graphql import GraphQLEnumType, GraphQLLeafType, Undefined
from msgspec import Raw

from api.graphql.execution import Meter
from api.graphql.scalars import TEXTS

_ODD_NUMBERS: Final = {
    "Int": "type({v}) is not int or not -2147483648 <= {v} <= 2147483647",
    "Float": "type({v}) is not float or {v} - {v} != 0.0",
    "Boolean": "{v} is not True and {v} is not False",
}


class Unexpected(Exception):
    """Of this a plan does not know the answer; `reason` as graphql_plan_fallbacks_total says it."""

    def __init__(self, reason: str = "value") -> None:
        super().__init__(reason)
        self.reason = reason


class Leaf(NamedTuple):
    """How a type's values are written. `counts`: as a text by its length, as a number always the same, or by `show`
    itself, which takes the meter then. `odd`: the test of a value {v} that does not pass as it is, "" where none does.
    `names`: what the test refers to as {names}."""

    counts: str
    odd: str
    show: Callable[..., Any]
    names: frozenset[str] | None = None


def leaf_of(kind: GraphQLLeafType) -> Leaf:
    """How values of `kind` are written."""
    if isinstance(kind, GraphQLEnumType):
        names = frozenset(name for name, one in kind.values.items() if one.value == name)
        return Leaf("text", "type({v}) is not str or {v} not in {names}", _text(kind), names)
    if kind.name in TEXTS:
        return Leaf("text", "type({v}) is not str", _text(kind))
    if kind.name in _ODD_NUMBERS:
        return Leaf("number", _ODD_NUMBERS[kind.name], _coerced(kind))
    return Leaf("self", "", _counted(kind))


def surprise() -> NoReturn:
    """Raises Unexpected."""
    raise Unexpected


def _coerced(kind: GraphQLLeafType) -> Callable[[Any], Any]:
    coerce = kind.coerce_output_value

    def show(value: Any) -> Any:
        if value is None or value is Undefined or isinstance(value, Exception):
            raise Unexpected
        shown = coerce(value)
        if shown is None or shown is Undefined:
            raise Unexpected
        return shown

    return show


def _text(kind: GraphQLLeafType) -> Callable[[Any], str]:
    coerced = _coerced(kind)

    def show(value: Any) -> str:
        shown = coerced(value)
        if not isinstance(shown, str):
            raise Unexpected
        return shown

    return show


def _counted(kind: GraphQLLeafType) -> Callable[[Any, Meter], Any]:
    coerced = _coerced(kind)

    def show(value: Any, meter: Meter) -> Any:
        return meter.leaf(value if type(value) is Raw else coerced(value))

    return show
