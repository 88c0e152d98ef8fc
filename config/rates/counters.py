"""What one process counts by itself, so that it goes on where Redis is away: the same windows, a bounded number of
them."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from config.rates.rules import SLOTS, Claim, Verdict, counting, judged, slot_at

COUNTERS_MAX: Final = 20_000  # keys, 1 KB each at most; then the longest unused is forgotten


class Counters:
    """Windows by key. Whoever wants to be forgotten needs COUNTERS_MAX other addresses for it, within the window."""

    def __init__(self, kept_max: int = COUNTERS_MAX) -> None:
        self._kept_max = kept_max
        self._slots: OrderedDict[str, dict[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._slots)

    def take(self, keys: Sequence[str], claims: Sequence[Claim], now_ms: int) -> Verdict:
        """From all limits, or from none."""
        found = [
            counting(self._slots.get(key, {}), claim.limit, now_ms) for key, claim in zip(keys, claims, strict=True)
        ]
        verdict = judged(found, claims, now_ms)
        self._slots.update(zip(keys, found, strict=True))
        self._keep(keys)
        return verdict

    def note(self, keys: Sequence[str], claims: Sequence[Claim], now_ms: int) -> None:
        """What was taken elsewhere counts here as well."""
        for key, (limit, amount) in zip(keys, claims, strict=True):
            slots = self._slots.setdefault(key, {})
            slot = slot_at(limit, now_ms)
            slots[slot] = slots.get(slot, 0) + amount
            if len(slots) > SLOTS + 1:
                self._slots[key] = counting(slots, limit, now_ms)
        self._keep(keys)

    def give_back(self, key: str, slot: int, amount: int) -> None:
        """What was taken in that slot shall not count."""
        slots = self._slots.get(key, {})
        left = slots.pop(slot, 0) - amount
        if left > 0:
            slots[slot] = left

    def _keep(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._slots.move_to_end(key)
        while len(self._slots) > self._kept_max:
            self._slots.popitem(last=False)
