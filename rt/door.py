"""Where those wait who are not yet anybody: for their turn, or for the key that their token names.

So does whoever has said more at once than one turn's share, while it keeps to its rate.

A handshake and its `connect` cost as much as twenty events for somebody who is in, and after a restart thousands come
at once. They get DOOR_TURN_S of each turn of the loop, first come, first served: whoever is in is not held up by them.
"""

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Protocol

from config.limits import DOOR_TURN_S, HEAD_BYTES_MAX, HELD_CONNECTS_MAX, HELD_MESSAGES_MAX
from rt.closes import Closing
from rt.wire.inbound import Decoded

__all__ = ["Door", "Visitor"]


class Visitor(Protocol):
    """One socket without a session, or whose session has not been welcomed."""

    transport: asyncio.Transport | None

    def read(self, data: bytes, at: int = 0) -> None:
        """Its turn: this is what it has said."""

    def listen(self) -> None:
        """Hears more, unless something that it said still waits for a turn."""

    def go_on(self, messages: Iterable[Decoded]) -> None:
        """The keys are fresh: these messages are decided now, for good."""

    def close(self, closing: Closing) -> None:
        """There is no room for it."""


class Door:
    """One per process. `held` are those whose key is wanted; who sets `keys_wanted` wants them fetched."""

    __slots__ = ("_loop", "_released", "_turning", "_waiting", "held", "keys_wanted")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.held: dict[Visitor, list[Decoded]] = {}
        self.keys_wanted = asyncio.Event()
        self._loop = loop
        self._waiting: dict[Visitor, bytes] = {}
        self._released: dict[Visitor, list[Decoded]] = {}  # were held; their turn comes first
        self._turning = False

    def __len__(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting) + len(self._released)

    # --- for its turn

    def knock(self, visitor: Visitor, data: bytes) -> None:
        """What it says is read when its turn comes, soon."""
        earlier = self._waiting.get(visitor)
        if earlier is not None:
            data = earlier + data
        if (earlier is not None or len(data) > HEAD_BYTES_MAX) and visitor.transport is not None:
            visitor.transport.pause_reading()  # the kernel keeps what else it says
        self._waiting[visitor] = data
        self._schedule()

    def waits(self, visitor: Visitor) -> bool:
        """Whether it has said something that was not read or decided yet, for want of a turn."""
        return visitor in self._waiting or visitor in self._released

    def admit(self, visitor: Visitor) -> None:
        """Its turn, if it waits for one: what was held is decided, then what it has said since is read."""
        messages = self._released.pop(visitor, None)
        if messages is not None:
            visitor.go_on(messages)
        data = self._waiting.pop(visitor, None)
        if data is not None:
            visitor.read(data)
            visitor.listen()

    def leave(self, visitor: Visitor) -> None:
        """It waits for nothing any more."""
        self._waiting.pop(visitor, None)
        self._released.pop(visitor, None)
        self.held.pop(visitor, None)

    def _schedule(self) -> None:
        if not self._turning and (self._released or self._waiting):
            self._turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        ends = monotonic() + DOOR_TURN_S
        try:
            while queue := self._released or self._waiting:
                self.admit(next(iter(queue)))
                if monotonic() >= ends:
                    break
        finally:
            self._turning = False
            self._schedule()

    # --- for a key

    def hold(self, visitor: Visitor, message: Decoded) -> None:
        """Its `connect` names a key that is not known: the keys are fetched, then it is decided again."""
        if len(self.held) >= HELD_CONNECTS_MAX:
            visitor.close(Closing.OVERLOADED)
            return
        self.held[visitor] = [message]
        self.keys_wanted.set()

    def keeps(self, visitor: Visitor, message: Decoded) -> bool:
        """Keeps what comes behind a `connect` that is held; False for anybody else."""
        messages = self.held.get(visitor)
        if messages is None:
            return False
        if len(messages) >= HELD_MESSAGES_MAX:
            visitor.close(Closing.OVERLOADED)
        else:
            messages.append(message)
        return True

    def keys_fetched(self, waited: Iterable[Visitor]) -> None:
        """Fresh keys are here: who `waited` before they were asked for is judged by them, in turn."""
        for visitor in waited:
            messages = self.held.pop(visitor, None)
            if messages is not None:
                self._released[visitor] = messages
        self._schedule()
