"""What the map may tell: who is shown, from how many people on, in which steps. Pure.

Coarse is live, fine is slow: three bands of resolutions (2-3, 4-5, 6-7), each with its own k and its own tick. A cell
is shown from k distinct people, as a step at or below the true count. Where a step begins varies by cell and day by a
secret key, so that somebody who adds made-up people one by one does not know how many others there are; and it ends
below where it begins, so that one person coming and going does not make it flicker. In the slow bands it is drawn
again whenever the cell has fallen, and a fallen cell does not rise for COOL_TICKS: who has measured a threshold by
filling and emptying a cell has measured one that is gone (`make attack`). People of young accounts and those who
travel faster than a plane are not in the counts of the two slower bands to begin with.

A parent must not give away by subtraction what its shown children do not: a difference of fewer than k people
between a parent and its shown children is left out of the parent.
"""

from bisect import bisect_right
from hashlib import blake2b
from typing import Final

DAY_S: Final = 86_400
# 5, 10, 20, 50, 100 ... up to more people than there are.
STEPS: Final = tuple(base * int(10**power) for power in range(10) for base in (1, 2, 5))
COOL_TICKS: Final = 10  # of a slow band


def band_of(resolution: int) -> int:
    """0 for the live resolutions (0-3), 1 for 4-5, 2 for 6-7."""
    return 0 if resolution <= 3 else 1 if resolution <= 5 else 2


class Rule:
    """The rule with an installation's k per band and its secret."""

    __slots__ = ("_key", "_levels", "k")

    def __init__(self, k: tuple[int, int, int], secret: bytes) -> None:
        self.k = k
        self._key = blake2b(secret).digest()
        self._levels = tuple((least, *(step for step in STEPS if step > least and step >= 5)) for least in k)

    def base(self, resolution: int, count: int, shown_in_children: int) -> int:
        """The people that a cell may count: all, or only those in its shown children where the rest is a few.

        The difference counts in both directions: children are up to a minute older than their parent, and fewer
        than k people who left since are as private as fewer than k who came.
        """
        if shown_in_children and abs(count - shown_in_children) < self.k[band_of(resolution)]:
            return shown_in_children
        return count

    def level(self, cell: int, resolution: int, count: int, shown: int, unix_s: float, draw: int = 0) -> int:
        """What is shown for `count` people, where `shown` (0: nothing) was until now. Never more than `count`.

        Step L (but 1) begins somewhere in 1.1 L + 1 ... 1.5 L, mostly in the middle, so that the ends, where one person
        more is a proof, are rare, and k - 1 made-up people with one or two others never are enough. It ends a fifth
        of L (at least one person) below that, but not below L itself.
        Another `draw` is another beginning.
        """
        levels = self._levels[band_of(resolution)]
        at = bisect_right(levels, count) - 1
        if at < 0:
            return 0
        noise = self._noise(cell, unix_s, draw)
        if shown in levels:
            now = levels.index(shown)
            if now >= at and count >= self._end(levels[now], noise[now % len(noise)]):
                return shown
        if count >= _begin(levels[at], noise[at % len(noise)]):
            return levels[at]
        return levels[at - 1] if at else 0

    def _end(self, level: int, noise: int) -> int:
        return max(level, _begin(level, noise) - max(level // 5, 1))

    def _noise(self, cell: int, unix_s: float, draw: int) -> list[int]:
        """0-510 for each step, likelier in the middle; the same for one cell, day and draw.

        Each cell's day begins at another time.
        """
        day = int(unix_s + cell * 2_654_435_761 % DAY_S) // DAY_S
        digest = blake2b(b"%d %d %d" % (cell, day, draw), key=self._key, digest_size=64).digest()
        return [one + other for one, other in zip(digest[:32], digest[32:], strict=True)]


def _begin(level: int, noise: int) -> int:
    if level == 1:  # an installation with k = 1, one person's own machine, shows everybody
        return 1
    least = level + 1 + level // 10
    return least + noise * (level + level // 2 + 1 - least) // 511
