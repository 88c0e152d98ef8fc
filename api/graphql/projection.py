"""One root field's part of an answer while a plan makes it: what it may still have, and what it waits for.

A long list is made in slices, between which the loop turns: an answer of 50,000 fields takes some 15 ms. Relations are
asked level by level, each once for all values that there are.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from api.graphql.context import Info
from api.graphql.execution import Meter
from api.graphql.leaves import Unexpected
from api.graphql.ways import Relation, Resolved, waits

SLICE_FIELDS: Final = 4_000  # made at once: a millisecond

Complete = Callable[[Any, "Projection"], Any]


class Site(NamedTuple):
    """A relation at one place of a selection: its response name, and what makes the answer of its values."""

    name: str
    relation: Relation
    complete: Complete


class Projection(Meter):
    """Counts on from a meter, which `commit` sets: what is given up has not been counted."""

    __slots__ = ("asked", "later", "pause_at")

    def __init__(self, meter: Meter, sites: int) -> None:
        self.fields_max = meter.fields_max
        self.fields_left = meter.fields_left
        self.bytes_left = meter.bytes_left
        self.ready_left = meter.ready_left
        self.pause_at = meter.fields_left - SLICE_FIELDS
        self.later: list[tuple[list[Any], Sequence[Any], Complete, int]] = []
        # By site, the objects of the answer that have it, and the values that they were made of.
        self.asked: list[list[tuple[dict[str, Any], Any]]] = [[] for _ in range(sites)]

    @property
    def waits(self) -> bool:
        """Whether there is something to finish."""
        return bool(self.later) or any(self.asked)

    def commit(self, meter: Meter) -> None:
        """Counts what was made. Raises AnswerTooLarge."""
        self.check()
        meter.fields_left = self.fields_left
        meter.bytes_left = self.bytes_left
        meter.ready_left = self.ready_left

    async def finish(self, root: str, sites: Sequence[Site], info: Info, resolved: Resolved) -> None:
        """Makes all that waits. Raises Unexpected, AnswerTooLarge, and what readers raise."""
        while True:
            await self._make_later()
            level = [(site, asked) for site, asked in zip(sites, self.asked, strict=True) if asked]
            if not level:
                return
            self.asked = [[] for _ in sites]
            questions = [(site.relation, [source for _, source in asked]) for site, asked in level]
            answers = await _answers(questions, info)
            for (relation, sources), values in zip(questions, answers, strict=True):
                resolved.remember(root, relation, sources, values)
            if any(isinstance(values[0], Exception) for values in answers):
                raise Unexpected("relation")
            for (site, asked), values in zip(level, answers, strict=True):
                for (place, _), value in zip(asked, values, strict=True):
                    place[site.name] = site.complete(value, self)
                    if self.fields_left <= self.pause_at:
                        await self._pause()

    async def _make_later(self) -> None:
        for made, items, complete, step in self.later:  # more may be added meanwhile
            for start in range(0, len(items), step):
                made.extend([complete(item, self) for item in items[start : start + step]])
                if self.fields_left <= self.pause_at or step >= SLICE_FIELDS:
                    await self._pause()
        self.later.clear()

    async def _pause(self) -> None:
        self.check()
        await asyncio.sleep(0)
        self.pause_at = self.fields_left - SLICE_FIELDS


def many(items: Any, complete: Complete, making: Projection, weight: int) -> list[Any]:
    """The items of a list, each some `weight` fields; made later where they are many, or many were made just now."""
    if type(items) is not list and type(items) is not tuple:
        raise Unexpected  # the library knows other iterables
    if len(items) * weight <= SLICE_FIELDS and making.fields_left > making.pause_at:
        return [complete(item, making) for item in items]
    made: list[Any] = []
    making.later.append((made, items, complete, max(1, SLICE_FIELDS // weight)))
    return made


async def _answers(questions: Sequence[tuple[Relation, list[Any]]], info: Info) -> list[Sequence[Any]]:
    """What relations answer, asked in one turn; what one raises stands for each of its answers."""
    asked = [_answer(relation, sources, info) for relation, sources in questions]
    return [await asked[0]] if len(asked) == 1 else await asyncio.gather(*asked)


async def _answer(relation: Relation, sources: list[Any], info: Info) -> Sequence[Any]:
    try:
        values = relation.of(sources, info)
        if waits(values):
            values = await values
        return [value for _, value in zip(sources, values, strict=True)]
    except Exception as error:  # noqa: BLE001 - the library tells it where it belongs
        return [error] * len(sources)
