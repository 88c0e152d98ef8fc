"""Counts in Redis, for all processes together: one call of take.lua a request, and those that wait go in one trip.

Where Redis does not answer within LIMITS_WAIT_S the process counts by itself, on top of what it has let through before,
and asks again after LIMITS_PAUSE_S. What it counts alone Redis never hears of.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import structlog

from config.limits import LIMITS_PAUSE_S, LIMITS_WAIT_S
from config.metrics import FAILURES
from config.rates.counters import Counters
from config.rates.rules import SLOTS, Claim, Standing, Verdict, slot_at
from config.redis import AWAY, SCRIPTS_PER_TRIP, Call, RedisClient, load_script

log = structlog.get_logger()

_TAKE: Final = load_script(__file__, "take")
_GIVE_BACK: Final = load_script(__file__, "give_back")
_DIGEST_BYTES: Final = 12
_FIELDS: Final = 3  # of an answer, for each limit

Asked = asyncio.Future[list[int] | None]


class Taken(NamedTuple):
    """Where something was taken from one limit: the slots of Redis (None = it has not heard of it) and of here."""

    key: str
    slot: int | None
    own: int
    amount: int


class Limiter:
    """Give `run` a task: it is what asks Redis. Without it, and while Redis is away, the process counts alone."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._own = Counters()
        self._asked: deque[tuple[Call, Asked]] = deque()
        self._due = asyncio.Event()
        self._runs = False
        self._alone_until = 0.0

    async def take(self, subject: str, claims: Sequence[Claim]) -> tuple[Verdict, tuple[Taken, ...]]:
        """Takes all claims of a subject, or none. What is kept under its name is a hash of it."""
        digest = blake2b(subject.encode(), digest_size=_DIGEST_BYTES).hexdigest()
        keys = [f"limits:{{{digest}}}:{claim.limit.name}" for claim in claims]
        answer = await self._ask(keys, claims)
        now_ms = int(time.monotonic() * 1000)
        verdict = self._own.take(keys, claims, now_ms) if answer is None else _verdict(answer, claims)
        if not verdict.taken:
            return verdict, ()
        if answer is not None:
            self._own.note(keys, claims, now_ms)
        places = zip(keys, verdict.slots, claims, strict=True)
        return verdict, tuple(
            Taken(key, slot if answer is not None else None, slot_at(claim.limit, now_ms), claim.amount)
            for key, slot, claim in places
        )

    async def give_back(self, taken: Taken) -> None:
        """What was taken shall not count. Never fails: a window forgets it anyway."""
        self._own.give_back(taken.key, taken.own, taken.amount)
        if taken.slot is None:
            return
        try:
            async with asyncio.timeout(LIMITS_WAIT_S):
                await _GIVE_BACK(self._redis, [taken.key], [taken.slot, taken.amount])
        except AWAY as error:
            self._is_away(error)

    async def run(self) -> None:
        """Asks Redis, for as long as the process lives."""
        self._runs = True
        try:
            while True:
                await self._due.wait()
                self._due.clear()
                while self._asked:
                    await self._trip([self._asked.popleft() for _ in range(min(len(self._asked), SCRIPTS_PER_TRIP))])
        finally:
            self._runs = False
            _tell(self._asked, None)
            self._asked.clear()

    def _ask(self, keys: list[str], claims: Sequence[Claim]) -> Asked:
        answer: Asked = asyncio.get_running_loop().create_future()
        if not self._runs or time.monotonic() < self._alone_until:
            answer.set_result(None)
            return answer
        args = [SLOTS]
        for limit, amount in claims:
            args += (limit.most, limit.slot_ms, amount)
        self._asked.append(((keys, args), answer))
        self._due.set()
        return answer

    async def _trip(self, part: Sequence[tuple[Call, Asked]]) -> None:
        answers = None
        try:
            if time.monotonic() >= self._alone_until:
                async with asyncio.timeout(LIMITS_WAIT_S):
                    answers = await _TAKE.many(self._redis, [call for call, _ in part])
        except AWAY as error:
            self._is_away(error)
        finally:  # also where this ends: nobody waits for an answer that cannot come
            _tell(part, answers)

    def _is_away(self, error: BaseException) -> None:
        self._alone_until = time.monotonic() + LIMITS_PAUSE_S
        FAILURES.labels("limits").inc()
        log.debug("limits_not_in_redis", error=type(error).__name__)


def _tell(part: Iterable[tuple[Call, Asked]], answers: Sequence[list[int]] | None) -> None:
    for n, (_, asked) in enumerate(part):
        if not asked.done():  # else its caller has left
            asked.set_result(None if answers is None else answers[n])


def _verdict(answer: list[int], claims: Sequence[Claim]) -> Verdict:
    each = [answer[at : at + _FIELDS] for at in range(1, len(answer), _FIELDS)]
    standings = (Standing(claim.limit, left, wait) for claim, (left, wait, _) in zip(claims, each, strict=True))
    return Verdict(answer[0] == 1, tuple(standings), tuple(slot for _, _, slot in each))
