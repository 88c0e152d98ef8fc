"""Answers of queries, kept for as long as their hints say (hints.py), until something drops them (drops.py).

In the memory of one process and bounded in bytes: those for everybody and those for one viewer each have their half,
so that no viewer takes the place of what all ask for. Whoever asks for what is being made waits for it: of a thousand
who ask at once, one asks the database. What began before a drop is answered and not kept.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, NamedTuple

from config import metrics
from config.graphql.hints import Policy
from config.limits import ANSWER_KEPT_BYTES_MAX, ANSWER_WAIT_S, ANSWERS_BYTES_MAX
from rt.wire.drops import Drop

_HITS: Final = metrics.GRAPHQL_CACHE_HITS.labels("responses")
_ENTRY_BYTES: Final = 1_000  # of a kept answer beside its body and its variables: key, tags, their places in tables


class Question(NamedTuple):
    """What makes two requests the same: `variables` as they came. `viewer` is None in what is for everybody, and for
    whoever is not signed in; the tier bounds how large an answer may be."""

    document: bytes
    operation: str
    variables: bytes
    tier: str
    viewer: str | None


class Answer(NamedTuple):
    """The body of an answer without errors, and how many seconds it may be kept from now on."""

    body: bytes
    life_s: float


class _Kept(NamedTuple):
    body: bytes
    until: float
    tags: frozenset[Hashable]
    size: int


class _Flight:
    """An answer that is being made."""

    __slots__ = ("done", "late", "tags")

    def __init__(self, tags: frozenset[Hashable]) -> None:
        self.done: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self.late = False  # something of it changed meanwhile
        self.tags = tags


class _Shelf:
    """Answers by question, the longest unused dropped first, and by what ends them."""

    def __init__(self, bytes_max: int) -> None:
        self.size = 0
        self._bytes_max = bytes_max
        self._kept: OrderedDict[Question, _Kept] = OrderedDict()
        self._tagged: dict[Hashable, set[Question]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, question: Question, now: float) -> _Kept | None:
        kept = self._kept.get(question)
        if kept is None:
            return None
        if kept.until <= now:
            self._remove(question)
            return None
        self._kept.move_to_end(question)
        return kept

    def put(self, question: Question, kept: _Kept) -> None:
        self._remove(question)
        self._kept[question] = kept
        self.size += kept.size
        for tag in kept.tags:
            self._tagged.setdefault(tag, set()).add(question)
        while self.size > self._bytes_max:
            self._remove(next(iter(self._kept)))

    def drop(self, tags: frozenset[Hashable]) -> None:
        for tag in tags & self._tagged.keys():
            for question in tuple(self._tagged.get(tag, ())):
                self._remove(question)

    def clear(self) -> None:
        self._kept.clear()
        self._tagged.clear()
        self.size = 0

    def _remove(self, question: Question) -> None:
        kept = self._kept.pop(question, None)
        if kept is None:
            return
        self.size -= kept.size
        for tag in kept.tags:
            tagged = self._tagged[tag]
            tagged.discard(question)
            if not tagged:
                del self._tagged[tag]


class Answers:
    """The answers that one process keeps. It keeps none, and makes each anew, unless it was `heard` lately that the
    changes of other processes arrive here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, bytes_max: int = ANSWERS_BYTES_MAX) -> None:
        self._clock = clock
        self._open_until = float("-inf")
        self._everybodys = _Shelf(bytes_max // 2)
        self._viewers = _Shelf(bytes_max // 2)
        self._flights: dict[Question, _Flight] = {}

    def __len__(self) -> int:
        return len(self._everybodys) + len(self._viewers)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self._everybodys.size + self._viewers.size

    async def answer(
        self, question: Question, policy: Policy, make: Callable[[], Awaitable[bytes | None]]
    ) -> Answer | None:
        """The kept answer, the one that somebody else is just making, or what `make` makes; None where that has errors,
        which are answered by whoever made them. Raises what `make` raises."""
        now = self._clock()
        if now >= self._open_until or len(question.variables) > ANSWER_KEPT_BYTES_MAX:
            body = await make()
            return None if body is None else Answer(body, policy.life_s)
        shelf = self._viewers if policy.own else self._everybodys
        kept = shelf.get(question, now)
        if kept is not None:
            _HITS.inc()
            return Answer(kept.body, kept.until - now)
        flight = self._flights.get(question)
        if flight is not None and (answer := await _of_another(flight)) is not None:
            _HITS.inc()
            return answer
        return await self._make(question, policy, make, shelf)

    def drop(self, what: Drop) -> None:
        """Ends what is kept of this, and keeps nothing of it that is being made."""
        if what.all:
            self._drop_all()
            return
        tags: frozenset[Hashable] = what.types | what.users
        if tags:
            self._everybodys.drop(tags)
            self._viewers.drop(tags)
            for flight in self._flights.values():
                flight.late = flight.late or not tags.isdisjoint(flight.tags)

    def heard(self, for_s: float) -> None:
        """Changes of others arrive, and will be missed in `for_s` at the earliest."""
        now = self._clock()
        if now >= self._open_until:
            self._drop_all()  # what changed meanwhile nobody can say
        self._open_until = now + for_s

    def deaf(self) -> None:
        """Changes of others may be missed from now on."""
        self._open_until = float("-inf")
        self._drop_all()

    async def _make(
        self, question: Question, policy: Policy, make: Callable[[], Awaitable[bytes | None]], shelf: _Shelf
    ) -> Answer | None:
        users = {question.viewer} if policy.own and question.viewer is not None else set()
        flight = self._flights[question] = _Flight(policy.types | users)
        until = self._clock() + policy.life_s  # from before it was read
        answer = None
        try:
            body = await make()
            if body is not None:
                answer = Answer(body, max(0.0, until - self._clock()))
        finally:
            if self._flights.get(question) is flight:
                del self._flights[question]
            flight.done.set_result(answer)
        if answer is not None and not flight.late and len(answer.body) <= ANSWER_KEPT_BYTES_MAX:
            size = len(answer.body) + len(question.variables) + _ENTRY_BYTES
            shelf.put(question, _Kept(answer.body, until, flight.tags, size))
        return answer

    def _drop_all(self) -> None:
        self._everybodys.clear()
        self._viewers.clear()
        for flight in self._flights.values():
            flight.late = True


async def _of_another(flight: _Flight) -> Answer | None:
    """What they make; None where that has errors, fails, or takes too long, and where it is late: whoever asks after a
    change is not told what was before it."""
    if flight.late:
        return None
    try:
        async with asyncio.timeout(ANSWER_WAIT_S):
            return await asyncio.shield(flight.done)
    except TimeoutError:
        return None
