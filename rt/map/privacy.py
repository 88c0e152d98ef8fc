"""What the map may tell: who is shown, from how many people on, in which steps. Pure.

Three bands of resolutions (2-3, 4-5, 6-7), each with its own k and its own tick. A cell is shown as a step below the
count of its people. Whether it reaches a step is one question for each slot of time: the secret draws an edge above
the step, and who reaches the edge within the slot is shown for the rest of it. So within a slot a cell only rises, and
what one slot tells is on which side of one edge the most people of the slot were. One person more or less moves that
by at most a twentieth, however somebody fills and empties the cell with made-up people; the next slot has another
edge. The smaller a step, the longer its slots: half a day where a person counts, a minute where a thousand are.

Whether a cell may be shown at all depends on the people around it (`surroundings`): a group that is alone for
hundreds of kilometres is in no cell, however large it is. People of young accounts and those who travel faster than
a plane are in the counts of the live band only, and in no surroundings.

A parent must not give away by subtraction what its shown children do not: of those in none of its shown children,
k - 1 are left out.

Where k is 1 (one person's own machine) everybody is shown at once, and nothing is drawn.
"""

from bisect import bisect_right
from collections.abc import MutableMapping, Sequence
from hashlib import blake2b
from math import inf
from statistics import NormalDist
from typing import Final, NamedTuple

from config.limits import MAP_SLOT_S

# 5, 10, 20, 50, 100 ... up to more people than there are.
STEPS: Final = tuple(base * int(10**power) for power in range(10) for base in (1, 2, 5))
GATE: Final = 8  # what the surroundings are drawn as: no resolution of a cell
_DRAWS: Final = 2**32
_TAIL: Final = 0.01  # of the bell at each end, cut off
_BELL: Final = NormalDist()
_REACH: Final = -_BELL.inv_cdf(_TAIL)  # half its width, in standard deviations

# Steps that a cell has reached, and until when (Unix seconds) they are shown.
Held = MutableMapping[int, int]


class Step(NamedTuple):
    """Shown from an edge of `people` + 1 ... `people` + `width` on, mostly in the middle; drawn every `slot_s`."""

    people: int
    width: int
    slot_s: int


class Look(NamedTuple):
    """What is shown (0: nothing), and when (Unix seconds) it may change although nobody comes or goes."""

    level: int
    due_s: float


def band_of(resolution: int) -> int:
    """0 for the live resolutions (0-3), 1 for 4-5, 2 for 6-7."""
    return 0 if resolution <= 3 else 1 if resolution <= 5 else 2


class Rule:
    """The rule with an installation's k per band and its secret."""

    __slots__ = ("_gate", "_key", "_ladders", "_narrowest", "_plain", "gate_step", "k", "place_people")

    def __init__(self, k: tuple[int, int, int], secret: bytes) -> None:
        self.k = k
        self.place_people = max(k[2] // 4, 1)  # of one place (a cell of resolution 7) that count as surroundings
        self._key = blake2b(secret).digest()
        self._plain = tuple((least, *(step for step in STEPS if step > least and step >= 5)) for least in k)
        narrowest = self._narrowest = 2 * max(k)
        self._ladders = tuple(tuple(step_of(people, narrowest) for people in steps) for steps in self._plain)
        # Forty made-up people and a group in three places where cells meet stay below it: 40 + 3 x 5 < 60.
        self.gate_step = 3 * max(k)
        self._gate = (step_of(self.gate_step, narrowest),)

    def guards(self, resolution: int) -> bool:
        """Whether anything is hidden at this resolution: not where k is 1."""
        return self.k[band_of(resolution)] > 1

    def least(self, resolution: int) -> int:
        """The fewest people that a cell may be shown for."""
        return self.k[band_of(resolution)]

    def base(self, resolution: int, count: int, shown_in_children: int) -> int:
        """The people that a cell may count: those in its shown children, and of the others what goes beyond k - 1.

        The difference counts in both directions: children are up to a minute older than their parent, and fewer
        than k people who left since are as private as fewer than k who came. One person is never more than one.
        """
        if not shown_in_children:
            return count
        few = self.k[band_of(resolution)] - 1
        others = count - shown_in_children
        return count - max(min(others, few), -few)

    def look(self, cell: int, resolution: int, count: int, held: Held, unix_s: float) -> Look:
        """What is shown of `count` people in a cell that has reached the steps in `held`, which is brought up to date.

        A step is reached by more than its people, and kept to the end of its slot.
        """
        band = band_of(resolution)
        if self.k[band] > 1:
            return self._climb(self._ladders[band], cell, resolution, count, held, unix_s)
        at = bisect_right(self._plain[band], count)
        return Look(self._plain[band][at - 1] if at else 0, inf)

    def surrounded(self, cell: int, people: int, held: Held, unix_s: float) -> Look:
        """Whether (level > 0) a cell of resolution 2-5 is peopled enough for it, and what is in it, to be shown.

        `people`: settled ones, at most `place_people` of each cell of resolution 7.
        """
        return self._climb(self._gate, cell, GATE, people, held, unix_s)

    def step(self, people: int) -> Step:
        """The step of so many people (`gate_step`: that of surroundings)."""
        return step_of(people, self._narrowest)

    def end_s(self, cell: int, people: int, unix_s: float) -> int:
        """When the slot of a step of so many people ends in this cell."""
        return self._slot(self.step(people), cell, unix_s)[1]

    def _climb(self, ladder: Sequence[Step], cell: int, salt: int, count: int, held: Held, unix_s: float) -> Look:
        for people in [people for people, until_s in held.items() if until_s <= unix_s]:
            del held[people]
        due_s = inf
        for step in ladder:
            if step.people >= count:
                break
            if step.people in held:
                due_s = inf
                continue
            slot, end_s = self._slot(step, cell, unix_s)
            if count > step.people + step.width or count >= self._edge(step, cell, salt, slot):
                held[step.people] = end_s
                due_s = inf  # only what is above the highest step may rise by time alone
            else:
                due_s = min(due_s, end_s)
        level = max(held, default=0)
        return Look(level, min(due_s, held[level]) if level else due_s)

    @staticmethod
    def _slot(step: Step, cell: int, unix_s: float) -> tuple[int, int]:
        """The number of the slot and its end; each cell's begin at another time."""
        phase = cell * 2_654_435_761 % step.slot_s
        slot = (int(unix_s) + phase) // step.slot_s
        return slot, (slot + 1) * step.slot_s - phase

    def _edge(self, step: Step, cell: int, salt: int, slot: int) -> int:
        """The fewest people who reach the step in this slot, by the secret.

        A bell: who finds the edges of n slots, one by one, learns as little as can be of so narrow ones, and the ends,
        where one person is a proof, are rare.
        """
        drawn = blake2b(b"%d %d %d %d" % (salt, cell, step.people, slot), key=self._key, digest_size=4).digest()
        share = int.from_bytes(drawn, "big") / _DRAWS
        bell = _BELL.inv_cdf(_TAIL + (1 - 2 * _TAIL) * share) / _REACH  # -1 to 1
        return step.people + 1 + int(step.width * min((bell + 1) / 2, 0.999_999))


def step_of(people: int, narrowest: int) -> Step:
    """Its edge spreads over as many people as it has. What n slots tell grows with the root of n, by the width."""
    width = max(people, narrowest)
    shortest_s, longest_s = MAP_SLOT_S
    return Step(people, width, max(longest_s * narrowest**2 // width**2, shortest_s))
