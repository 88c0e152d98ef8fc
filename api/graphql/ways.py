"""The ways from a value to a field of it, declared, so that a plan (plan.py) can take them without the library's
executor. Each is the field's resolver for that executor too.

A field of the root is resolved with who asks and with arguments (Root). Below it a field is read from its value alone
(Attribute, Item, Read), or it is a Relation: loaded for many values at once, with who asks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from inspect import iscoroutinefunction, signature
from operator import attrgetter
from types import CoroutineType
from typing import Any, Final, TypeGuard

from graphql import GraphQLResolveInfo

from api.graphql.context import Info, context_of

_LibraryInfo = GraphQLResolveInfo[Any]
_EMPTY: Final = object()


class Attribute:
    """Reads an attribute, or one of an attribute: `event.id`."""

    __slots__ = ("_read", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._read = attrgetter(name)

    def __call__(self, source: Any, _: Info) -> Any:
        return self._read(source)


class Item:
    """Reads what a mapping has under a key."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key

    def __call__(self, source: Mapping[str, Any], _: Info) -> Any:
        return source[self.key]


class Read:
    """A function of the value. Raises ValueError for one that takes more, or that waits."""

    __slots__ = ("of",)

    def __init__(self, of: Callable[[Any], Any]) -> None:
        if len(signature(of).parameters) != 1 or iscoroutinefunction(of):
            raise ValueError(f"{of!r}: a function of the value alone, or a Relation")
        self.of = of

    def __call__(self, source: Any, _: Info) -> Any:
        return self.of(source)


class Relation:
    """A function of many values and who asks, that answers for each of them, in their order; it may wait. What it is
    asked in one turn of the loop is one call."""

    __slots__ = ("of", "waits")

    def __init__(self, of: Callable[[Sequence[Any], Info], Awaitable[Sequence[Any]] | Sequence[Any]]) -> None:
        self.of: Callable[[Sequence[Any], Info], Any] = of
        self.waits = iscoroutinefunction(of)

    def __call__(self, source: Any, info: _LibraryInfo) -> Any:
        resolved = info.root_value
        if type(resolved) is Resolved:
            known = resolved.known(_root_of(info), self, source)
            if known is not _EMPTY:
                return _again(known, waits=self.waits)
        return self._together(source, info) if self.waits else self.of([source], info)[0]

    async def _together(self, source: Any, info: Info) -> Any:
        async def load(asked: Sequence[_Same]) -> dict[_Same, Any]:
            return dict(zip(asked, await self.of([one.value for one in asked], info), strict=True))

        return await context_of(info).services.loader(self, load).get(_Same(source))


class _Same:
    """A value as a key: the same object, whether it is hashable or not."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return type(other) is _Same and self.value is other.value


class Root:
    """A resolver of a root field: a function of nothing, who asks, and the arguments. What was resolved before is not
    resolved again."""

    __slots__ = ("of", "waits")

    def __init__(self, of: Callable[..., Any]) -> None:
        self.of = of
        self.waits = iscoroutinefunction(of)

    def __call__(self, source: Any, info: _LibraryInfo, **arguments: Any) -> Any:
        if type(source) is Resolved and info.path.key in source:
            return _again(source[str(info.path.key)], waits=self.waits)
        return self.of(source, info, **arguments)


class Resolved(dict[str, Any]):
    """What root fields were resolved to, by response name: a value, the exception that was raised, or the task that
    resolves it still. It is the root value with which the library completes an answer.

    `projected`: of the fields that are whole, their part of the answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.projected: dict[str, Any] = {}
        self._answers: list[tuple[str, Relation, Sequence[Any], Sequence[Any]]] = []
        self._known: dict[tuple[str, Relation, int], Any] | None = None

    def remember(self, root: str, relation: Relation, sources: Sequence[Any], values: Sequence[Any]) -> None:
        """What a relation answered for each of `sources` below a root field; an exception is one that it raised."""
        self._answers.append((root, relation, sources, values))

    def known(self, root: str, relation: Relation, source: Any) -> Any:
        """What the relation answered for this very value, or an exception; _EMPTY where it was not asked."""
        if self._known is None:  # once: while the library completes an answer, no plan asks anything
            self._known = {
                (asked_below, asked, id(one)): value
                for asked_below, asked, sources, values in self._answers
                for one, value in zip(sources, values, strict=False)
            }
        return self._known.get((root, relation, id(source)), _EMPTY)


def _root_of(info: _LibraryInfo) -> str:
    path = info.path
    while path.prev is not None:
        path = path.prev
    return str(path.key)


def _again(known: Any, *, waits: bool) -> Any:
    """What a resolver came to, as it came to it: what was awaited is awaited, for the order of errors follows it."""
    if waits:
        return _awaited(known)
    if isinstance(known, Exception):
        raise known
    return known


async def _awaited(known: Any) -> Any:
    """Whoever gives this up gives a task up."""
    if isinstance(known, asyncio.Task):
        return await known
    if isinstance(known, Exception):
        raise known
    return known


def waits(value: object) -> TypeGuard[Coroutine[Any, Any, Any]]:
    """Whether a resolver's value is still to be awaited: resolvers make coroutines and no other awaitable."""
    return type(value) is CoroutineType
