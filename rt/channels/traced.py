"""Traces to their end: from a batch that is heard to its last socket. While none is under way, nothing is asked."""

from typing import TYPE_CHECKING, Final

from config.limits import TRACES_PER_BATCH_MAX
from config.tracing import SAMPLED, traces
from rt.channels.outbox import Outbox

if TYPE_CHECKING:
    from config.otel import Span

_UNDER_WAY_MAX: Final = 1_000  # in a process; what comes then is not followed


class Traced:
    """Spans by the outbox that they wait for, with the offset at which each is written."""

    __slots__ = ("_waiting", "under_way")

    def __init__(self) -> None:
        self._waiting: dict[Outbox, list[tuple[int, Span]]] = {}
        self.under_way = 0

    def heard(self, outbox: Outbox, places: tuple[str, ...], kind: str) -> None:
        """Everything up to the outbox's offset was put there; `places` are of some of it, on a channel of this kind."""
        if not traces.on or not outbox.readers or self.under_way >= _UNDER_WAY_MAX:
            return
        waiting = self._waiting.setdefault(outbox, [])
        for place in places[:TRACES_PER_BATCH_MAX]:
            if SAMPLED.fullmatch(place):
                waiting.append((outbox.offset, traces.begin(f"gateway flush {kind}", place)))
                self.under_way += 1

    def written(self, outbox: Outbox, offset: int, sockets: int) -> None:
        """So many sockets have everything of it up to `offset`."""
        waiting = self._waiting.pop(outbox, [])
        later = [one for one in waiting if one[0] > offset]
        for last, span in waiting:
            if last <= offset:
                span.end(sockets=sockets)
                self.under_way -= 1
        if later:
            self._waiting[outbox] = later

    def forget(self, outbox: Outbox) -> None:
        """Nothing of it is written any more."""
        for _, span in self._waiting.pop(outbox, []):
            span.end(sockets=0)
            self.under_way -= 1
