"""One timing wheel for all deadlines of a process: no timer per connection. Pure.

An item is in at most one slot. It fires at its time or up to one tick late, or early when its time is beyond the
wheel's horizon: whoever is fired looks at the clock and puts itself in again.
"""

from typing import Final, Generic, TypeVar

T = TypeVar("T")

TICK_S: Final = 0.25
SLOTS: Final = 512  # horizon 128 s
NOWHERE: Final = -1
_NUMBERS: Final = tuple(range(SLOTS))  # the same objects for all who keep their slot


class Wheel(Generic[T]):
    """Slots of TICK_S; times in seconds of one steady clock."""

    __slots__ = ("_next", "_slots")

    def __init__(self, now: float) -> None:
        self._next = int(now / TICK_S) + 1  # the tick that fires next
        self._slots: list[dict[T, None] | None] = [None] * SLOTS  # half the memory of sets

    def put(self, item: T, due: float) -> int:
        """Puts `item` in to fire at `due`; returns its slot, which `drop` needs."""
        tick = min(max(int(due / TICK_S) + 1, self._next), self._next + SLOTS - 1)
        slot = _NUMBERS[tick % SLOTS]
        items = self._slots[slot]
        if items is None:
            self._slots[slot] = {item: None}
        else:
            items[item] = None
        return slot

    def drop(self, item: T, slot: int) -> None:
        """Takes `item` out; nothing happens if it has fired or `slot` is NOWHERE."""
        if slot != NOWHERE and (items := self._slots[slot]) is not None:
            items.pop(item, None)

    def advance(self, now: float) -> list[T]:
        """Takes out everything that is due at `now`. After a long pause the whole wheel is due at most once."""
        last = int(now / TICK_S)
        due: list[T] = []
        for tick in range(max(self._next, last - SLOTS + 1), last + 1):
            slot = tick % SLOTS
            if items := self._slots[slot]:
                due.extend(items)
                self._slots[slot] = None
        self._next = max(self._next, last + 1)
        return due

    def __len__(self) -> int:
        return sum(len(items) for items in self._slots if items)
