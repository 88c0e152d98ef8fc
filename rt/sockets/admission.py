"""Admission control: those who are not yet anybody wait for their turn, or for the key that their token names.

So does whoever has said more at once than one turn's share, while it keeps to its rate.

A handshake and its `connect` cost as much as twenty events for somebody who is in, and after a restart thousands come
at once. They get ADMISSION_TURN_S of each turn of the loop, first come, first served: whoever is in is not held up by
them.
"""

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final, Protocol

from config.limits import HEAD_BYTES_MAX, KEY_WAIT_MESSAGES_MAX, KEY_WAITS_MAX
from rt.wire.closes import Closing

__all__ = ["Admission", "Visitor"]

Message = Any  # decoded, of whichever protocol the visitor speaks

ADMISSION_TURN_S: Final = 0.004  # of each turn of the loop for handshakes and `connect`s


class Visitor(Protocol):
    """One socket without a session, or whose session has not been welcomed."""

    transport: asyncio.Transport | None

    def read(self, data: bytes, at: int = 0) -> None:
        """Its turn: this is what it has said."""

    def listen(self) -> None:
        """Hears more, unless something that it said still waits for a turn."""

    def go_on(self, messages: Iterable[Message]) -> None:
        """The keys are fresh: these messages are decided now, for good."""

    def close(self, closing: Closing) -> None:
        """There is no room for it."""


class Admission:
    """One per process. `waiting_for_key`: those whose key is not known yet; `keys_wanted` is set to have it fetched."""

    __slots__ = ("_loop", "_released", "_turning", "_waiting", "keys_wanted", "waiting_for_key")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiting_for_key: dict[Visitor, list[Message]] = {}
        self.keys_wanted = asyncio.Event()
        self._loop = loop
        self._waiting: dict[Visitor, bytes] = {}
        self._released: dict[Visitor, list[Message]] = {}  # waited for a key; their turn comes first
        self._turning = False

    def __len__(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting) + len(self._released)

    # --- for its turn

    def enqueue(self, visitor: Visitor, data: bytes) -> None:
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

    def serve(self, visitor: Visitor) -> None:
        """Its turn, if it waits for one: what waited for a key is decided, then what it has said since is read."""
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
        self.waiting_for_key.pop(visitor, None)

    def _schedule(self) -> None:
        if not self._turning and (self._released or self._waiting):
            self._turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        ends = monotonic() + ADMISSION_TURN_S
        try:
            while queue := self._released or self._waiting:
                self.serve(next(iter(queue)))
                if monotonic() >= ends:
                    break
        finally:
            self._turning = False
            self._schedule()

    # --- for a key

    def await_key(self, visitor: Visitor, message: Message) -> None:
        """Its `connect` names a key that is not known: the keys are fetched, then it is decided again."""
        if len(self.waiting_for_key) >= KEY_WAITS_MAX:
            visitor.close(Closing.OVERLOADED)
            return
        self.waiting_for_key[visitor] = [message]
        self.keys_wanted.set()

    def keeps(self, visitor: Visitor, message: Message) -> bool:
        """Keeps what comes behind a `connect` that waits for a key; False for anybody else."""
        messages = self.waiting_for_key.get(visitor)
        if messages is None:
            return False
        if len(messages) >= KEY_WAIT_MESSAGES_MAX:
            visitor.close(Closing.OVERLOADED)
        else:
            messages.append(message)
        return True

    def keys_fetched(self, waited: Iterable[Visitor]) -> None:
        """Fresh keys are here: who `waited` before they were asked for is judged by them, in turn."""
        for visitor in waited:
            messages = self.waiting_for_key.pop(visitor, None)
            if messages is not None:
                self._released[visitor] = messages
        self._schedule()
