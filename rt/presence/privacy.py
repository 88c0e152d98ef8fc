"""What the map may tell: who is shown, from how many people on, in which steps. Pure.

Coarse is live, fine is slow: three bands of resolutions (2-3, 4-5, 6-7), each with its own k and its own tick. A cell
is shown from k distinct people, as a step at or below the true count. Where a step begins varies by cell and day by a
secret key, so that somebody who adds made-up people one by one does not know how many others there are; and it ends
below where it begins, so that one person coming and going does not make it flicker. People of young accounts and
those who travel faster than a plane are not in the counts of the two slower bands to begin with.

A parent must not give away by subtraction what its shown children do not: a difference of fewer than k people
between a parent and its shown children is left out of the parent.
"""

from bisect import bisect_right
from hashlib import blake2b
from typing import Final

DAY_S: Final = 86_400
# 5, 10, 20, 50, 100 ... up to more people than there are.
STEPS: Final = tuple(base * int(10**power) for power in range(10) for base in (1, 2, 5))
_KEY_BYTES_MAX: Final = 64  # of BLAKE2b


def band_of(resolution: int) -> int:
    """0 for the live resolutions (0-3), 1 for 4-5, 2 for 6-7."""
    return 0 if resolution <= 3 else 1 if resolution <= 5 else 2


class Rule:
    """The rule with an installation's k per band and its secret."""

    __slots__ = ("_key", "_levels", "k")

    def __init__(self, k: tuple[int, int, int], secret: bytes) -> None:
        self.k = k
        self._key = blake2b(secret).digest()[:_KEY_BYTES_MAX]
        self._levels = tuple((least, *(step for step in STEPS if step > least and step >= 5)) for least in k)

    def base(self, resolution: int, count: int, shown_in_children: int) -> int:
        """The people that a cell may count: all, or only those in its shown children where the rest is a few.

        The difference counts in both directions: children are up to a minute older than their parent, and fewer
        than k people who left since are as private as fewer than k who came.
        """
        if shown_in_children and abs(count - shown_in_children) < self.k[band_of(resolution)]:
            return shown_in_children
        return count

    def level(self, cell: int, resolution: int, count: int, shown: int, unix_s: float) -> int:
        """What is shown for `count` people, where `shown` (0: nothing) was until now. Never more than `count`.

        Step L (but 1) begins somewhere in L + 1 ... 1.5 L and ends a fifth of L (at least one person) below that,
        but not below L itself.
        """
        levels = self._levels[band_of(resolution)]
        at = bisect_right(levels, count) - 1
        if at < 0:
            return 0
        noise = self._noise(cell, unix_s)
        if shown in levels:
            now = levels.index(shown)
            if now >= at and count >= self._end(levels[now], noise[now % len(noise)]):
                return shown
        if count >= _begin(levels[at], noise[at % len(noise)]):
            return levels[at]
        return levels[at - 1] if at else 0

    def _end(self, level: int, noise: int) -> int:
        return max(level, _begin(level, noise) - max(level // 5, 1))

    def _noise(self, cell: int, unix_s: float) -> bytes:
        """A byte for each step, the same for one cell and day; each cell's day begins at another time."""
        day = int(unix_s + cell * 2_654_435_761 % DAY_S) // DAY_S
        return blake2b(b"%d %d" % (cell, day), key=self._key, digest_size=32).digest()


def _begin(level: int, noise: int) -> int:
    if level == 1:  # an installation with k = 1, one person's own machine, shows everybody
        return 1
    return level + 1 + (noise * (level // 2) >> 8)
