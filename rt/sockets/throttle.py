"""Where those wait who speak faster than they may: they are read a little, now and then, until they end or slow down.

What is over the rate is refused, but reading it costs as well. So a socket that was refused something is not read
before its turn here, and all of them together get THROTTLE_TURN_S in each THROTTLE_EVERY_S, in order. The kernel keeps
what else they say, and its window makes them wait.
"""

import asyncio
from time import monotonic
from typing import Final, Protocol

__all__ = ["Throttle", "Throttled"]

THROTTLE_TURN_S: Final = 0.001  # for all sockets together that are over their rate, ...
THROTTLE_EVERY_S: Final = 0.005  # ... each time that this is over: a fifth of the process at most
THROTTLE_SOCKETS_PER_TURN: Final = 32  # ... and so many of them: each may be read once more in the turn that follows


class Throttled(Protocol):
    """One socket."""

    transport: asyncio.Transport | None

    def read(self, data: bytes, at: int = 0) -> None:
        """Its turn: a share of this is read, and what is left is held again."""

    def listen(self) -> None:
        """Hears more, unless something that it said still waits for a turn."""


class Throttle:
    """One per process."""

    __slots__ = ("_loop", "_scheduled", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[Throttled, tuple[bytes, int]] = {}  # what each has said that was not read, from where on
        self._scheduled = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def hold(self, client: Throttled, data: bytes = b"", at: int = 0) -> None:
        """Reads nothing more of it before its turn, and then first what begins at `at`."""
        if data or client not in self._waiting:
            self._waiting[client] = (data, at)
        if client.transport is not None:
            client.transport.pause_reading()
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_later(THROTTLE_EVERY_S, self._turn)

    def holds(self, client: Throttled) -> bool:
        """Whether it waits here."""
        return client in self._waiting

    def leave(self, client: Throttled) -> None:
        """It waits for nothing any more."""
        self._waiting.pop(client, None)

    def _turn(self) -> None:
        ends = monotonic() + THROTTLE_TURN_S
        try:
            for _ in range(min(len(self._waiting), THROTTLE_SOCKETS_PER_TURN)):
                client = next(iter(self._waiting), None)
                if client is None:  # the others left meanwhile
                    break
                data, at = self._waiting.pop(client)
                if data:
                    client.read(data, at)
                client.listen()
                if monotonic() >= ends:
                    break
        finally:
            self._scheduled = bool(self._waiting)
            if self._scheduled:
                self._loop.call_later(THROTTLE_EVERY_S, self._turn)
