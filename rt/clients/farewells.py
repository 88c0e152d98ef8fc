"""Which sockets ended lately, and why: counts by the minute, and the sessions of users, for operators. Pure.

Of whose they were nothing is kept beyond FAREWELLS_KEPT_S: what a person deletes must not stay here.
"""

from collections import Counter, deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from config.limits import FAREWELLS_KEPT_S, FAREWELLS_MAX
from rt.wire.closes import Closing, GraphqlClosing

__all__ = ["LEFT", "Farewell", "Farewells", "why_of"]

LEFT: Final = "left"  # the client closed it, or its network did
_MINUTE_S: Final = 60


class Farewell(NamedTuple):
    """One socket's end, `at` by the steady clock."""

    at: float
    user: str
    session: str
    why: str


def why_of(closing: Closing | GraphqlClosing) -> str:
    """What operators read: the code, and the reason."""
    return f"{closing.code} {closing.reason}".strip()


class Farewells:
    """See the module. Times are of one steady clock, seconds."""

    __slots__ = ("_counts", "_ended")

    def __init__(self) -> None:
        self._counts: deque[tuple[int, Counter[str]]] = deque()
        self._ended: deque[Farewell] = deque(maxlen=FAREWELLS_MAX)

    def note(self, now: float, why: str, user: str = "", session: str = "") -> None:
        """A socket ended; `user` is empty for one that was nobody's."""
        minute = int(now // _MINUTE_S)
        if not self._counts or self._counts[-1][0] != minute:
            self._counts.append((minute, Counter()))
        self._counts[-1][1][why] += 1
        if user:
            self._ended.append(Farewell(now, user, session, why))
        self.forget(now)

    def forget(self, now: float) -> None:
        """What is over its time."""
        while self._ended and self._ended[0].at <= now - FAREWELLS_KEPT_S:
            self._ended.popleft()
        while self._counts and self._counts[0][0] <= (now - FAREWELLS_KEPT_S) // _MINUTE_S:
            self._counts.popleft()

    def counts(self, now: float) -> dict[str, int]:
        """Of the last FAREWELLS_KEPT_S, by why."""
        self.forget(now)
        together = Counter[str]()
        for _, counted in self._counts:
            together.update(counted)
        return dict(together.most_common())

    def of(self, user: str, now: float) -> Iterator[Farewell]:
        """This user's, newest first."""
        self.forget(now)
        return (one for one in reversed(self._ended) if one.user == user)
