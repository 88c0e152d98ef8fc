"""The sliding window by which requests count. Pure; take.lua counts by the same rule.

A window is cut into SLOTS, and what was taken in a slot counts until the whole slot has left the window. So no stretch
of `window_s` ever has more than `most` in it, wherever it begins. A bucket that refills (GCRA) lets a full burst and
what refills behind it through, a window that begins anew does so at its edge: twice as many. A log of each request
would be exact to the millisecond, for 5,000 entries a user. Price here: what was taken counts up to a slot longer.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

SLOTS: Final = 12
_SHARED: Final = frozenset({"ratelimit-limit", "ratelimit-policy"})


class Limit(NamedTuple):
    """`most` within each `window_s` seconds. `name` is what keys and metrics call it."""

    name: str
    most: int
    window_s: int

    @property
    def slot_ms(self) -> int:
        """Milliseconds of a slot."""
        return self.window_s * 1000 // SLOTS

    @property
    def kept_ms(self) -> int:
        """After so long nothing of what was taken counts any more."""
        return (SLOTS + 1) * self.slot_ms


class Claim(NamedTuple):
    """So much is to be taken from a limit."""

    limit: Limit
    amount: int = 1


class Standing(NamedTuple):
    """What is `left` of a limit, and how many milliseconds until there is more, or enough for what was refused; 0
    where nothing was taken."""

    limit: Limit
    left: int
    wait_ms: int


class Verdict(NamedTuple):
    """What became of claims that stand and fall together. `slots`: in which one each was taken."""

    taken: bool
    standings: tuple[Standing, ...]
    slots: tuple[int, ...]


def slot_at(limit: Limit, now_ms: int) -> int:
    """The slot of this instant."""
    return now_ms // limit.slot_ms


def counting(slots: Mapping[int, int], limit: Limit, now_ms: int) -> dict[int, int]:
    """The slots that count now, oldest first."""
    first = slot_at(limit, now_ms) - SLOTS
    return {slot: slots[slot] for slot in sorted(slots) if slot >= first}


def stands(slots: Mapping[int, int], claim: Claim, now_ms: int) -> Standing:
    """How it stands with the claim before it is taken, by the slots that count; there is room where its amount is not
    more than what is left. A claim above the limit itself waits for ever: it is told the whole window."""
    limit = claim.limit
    used = sum(slots.values())
    left, over = limit.most - used, used + claim.amount - limit.most
    for slot, count in slots.items():
        over -= count
        if over <= 0:
            return Standing(limit, left, _leaves_in(slot, limit, now_ms))
    return Standing(limit, left, limit.kept_ms if over > 0 else 0)


def judged(found: Sequence[dict[int, int]], claims: Sequence[Claim], now_ms: int) -> Verdict:
    """All claims or none: takes them from `found`, the slots that count of each limit, where all have room."""
    before = tuple(stands(slots, claim, now_ms) for slots, claim in zip(found, claims, strict=True))
    now = tuple(slot_at(claim.limit, now_ms) for claim in claims)
    if any(claim.amount > one.left for claim, one in zip(claims, before, strict=True)):
        return Verdict(False, before, now)
    after = []
    for slots, claim, slot in zip(found, claims, now, strict=True):
        slots[slot] = slots.get(slot, 0) + claim.amount
        oldest = next(iter(slots))
        left = claim.limit.most - sum(slots.values())
        after.append(Standing(claim.limit, left, _leaves_in(oldest, claim.limit, now_ms)))
    return Verdict(True, tuple(after), now)


def tightest(standings: Sequence[Standing]) -> Standing:
    """The one that is told: of which least is left, and for the longest time."""
    return min(standings, key=lambda one: (one.left, -one.wait_ms))


def headers(standing: Standing) -> tuple[tuple[str, str], ...]:
    """As draft 6 of the IETF's "RateLimit header fields for HTTP" has them; `reset` in seconds, rounded up."""
    limit = standing.limit
    return (
        ("ratelimit-limit", str(limit.most)),
        ("ratelimit-policy", f"{limit.most};w={limit.window_s}"),
        ("ratelimit-remaining", str(max(0, standing.left))),
        ("ratelimit-reset", str(seconds(standing.wait_ms))),
    )


def shared(told: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Of such headers what holds for whoever hears them from a cache."""
    return tuple(pair for pair in told if pair[0] in _SHARED)


def seconds(wait_ms: int) -> int:
    """Whole seconds after which the wait is over."""
    return -(-wait_ms // 1000)


def _leaves_in(slot: int, limit: Limit, now_ms: int) -> int:
    return (slot + SLOTS + 1) * limit.slot_ms - now_ms
