"""Which limits a request counts for, and what it is told of them.

`state` is the request's (config/serving/http.py): its `holder` is whom limits by address count, None for one that is
spared from all limits; `rate_limit`, which is put there, are the headers of its answer.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import structlog

from config.errors import RateLimited
from config.limits import VITALS_PER_MINUTE
from config.metrics import RATE_LIMITED
from config.rates.limiter import Limiter, Taken
from config.rates.rules import Claim, Limit, Standing, Verdict, headers, seconds, shared, tightest
from config.rates.settings import RateSettings

log = structlog.get_logger()

State = dict[str, Any]

REFUSED_MAX: Final = 20_000  # refusals that a process remembers, 200 bytes each; then the longest unused is asked again
_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600


class Attempt(NamedTuple):
    """Something that counts until it is known to be harmless."""

    limiter: Limiter
    taken: tuple[Taken, ...]

    async def forgive(self) -> None:
        """It shall not count."""
        for one in self.taken:
            await self.limiter.give_back(one)


class Gate:
    """Raises RateLimited for whoever is beyond a limit. Who was refused is refused again until the wait is over, and
    costs nobody anything meanwhile."""

    def __init__(self, limiter: Limiter, settings: RateSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._limiter = limiter
        self._clock = clock
        self._refused: OrderedDict[tuple[str, str], tuple[float, Standing]] = OrderedDict()
        self._anonymous = Limit("anonymous", settings.limit_anonymous, _MINUTE_S)
        self._requests = {
            "free": Limit("requests", settings.limit_signed_in, _MINUTE_S),
            "premium": Limit("requests", settings.limit_premium, _MINUTE_S),
        }
        self._mutations = {
            "free": Limit("mutations", settings.limit_mutations, _MINUTE_S),
            "premium": Limit("mutations", settings.limit_mutations_premium, _MINUTE_S),
        }
        self._sign_in = Limit("sign_in", settings.limit_sign_in_address, _MINUTE_S)
        self._account = Limit("account", settings.limit_sign_in_account, _MINUTE_S)
        self._sign_up = Limit("sign_up", settings.limit_sign_up, _HOUR_S)
        self._vitals = Limit("vitals", VITALS_PER_MINUTE, _MINUTE_S)

    def known(self, state: State, user: str | None = None, tier: str = "free") -> None:
        """Refuses, before anything is done, a request of whoever has nothing left as far as is known here. `user`:
        who asks; None = nobody, so that the address counts."""
        limit = self._anonymous if user is None else self._requests[tier]
        if state["holder"] is not None:
            self._remembered(state, _subject(state, user), (Claim(limit),))

    async def request(
        self, state: State, user: str | None = None, tier: str = "free", *, operations: int = 1, mutations: int = 0
    ) -> None:
        """Counts what a request asks for. A mutation is an operation, too."""
        claims = [Claim(self._anonymous if user is None else self._requests[tier], operations)]
        if user is not None and mutations:
            claims.append(Claim(self._mutations[tier], mutations))
        await self._take(state, _subject(state, user), claims)

    async def sign_in(self, state: State) -> None:
        """Counts somebody who wants to sign in, for the address."""
        await self._take(state, _subject(state, None), (Claim(self._anonymous), Claim(self._sign_in)))

    async def account(self, state: State, email: str) -> Attempt:
        """Counts a sign-in for the account, whether there is one or not; forgive it when it has not failed. What is
        left is told to nobody: it says what others did."""
        return await self._take(state, f"account {email}", (Claim(self._account),), told=False, kept=False)

    async def sign_up(self, state: State) -> Attempt:
        """Counts somebody who wants to join; forgive it where nothing came of it."""
        claims = (Claim(self._sign_up), Claim(self._anonymous))
        taken = await self._take(state, _subject(state, None), claims, kept=False)
        return taken._replace(taken=taken.taken[:1])

    async def vitals(self, state: State) -> None:
        """Counts a page's report. It takes nothing from what the address may ask for."""
        await self._take(state, _subject(state, None), (Claim(self._vitals),))

    async def _take(
        self, state: State, subject: str, claims: Sequence[Claim], *, told: bool = True, kept: bool = True
    ) -> Attempt:
        """`kept`: a refusal is good for the whole wait, since nothing is given back before."""
        taken: tuple[Taken, ...] = ()
        if state["holder"] is None:
            verdict = Verdict(True, tuple(Standing(one.limit, one.limit.most, 0) for one in claims), ())
        else:
            self._remembered(state, subject, claims)
            verdict, taken = await self._limiter.take(subject, claims)
        if verdict.taken:
            if told:
                state["rate_limit"] = headers(tightest(verdict.standings))
            return Attempt(self._limiter, taken)
        pairs = zip(verdict.standings, claims, strict=True)
        refused = max((one for one, claim in pairs if claim.amount > one.left), key=lambda one: one.wait_ms)
        if kept and refused.left <= 0:
            self._refused[subject, refused.limit.name] = (self._clock() + refused.wait_ms / 1000, refused)
            self._refused.move_to_end((subject, refused.limit.name))
            if len(self._refused) > REFUSED_MAX:
                self._refused.popitem(last=False)
        log.warning("rate_limited", limit=refused.limit.name)
        raise _refusal(state, refused)

    def _remembered(self, state: State, subject: str, claims: Sequence[Claim]) -> None:
        for claim in claims:
            until, standing = self._refused.get((subject, claim.limit.name), (0.0, None))
            left_s = until - self._clock()
            if standing is not None and left_s > 0 and standing.limit == claim.limit:
                raise _refusal(state, standing._replace(wait_ms=int(left_s * 1000) + 1))


def answer_is_shared(state: State) -> None:
    """Caches on the way tell this answer to others, so it does not say how the one stands who asked."""
    state["rate_limit"] = shared(state["rate_limit"])


def _subject(state: State, user: str | None) -> str:
    return f"address {state['holder']}" if user is None else f"user {user}"


def _refusal(state: State, standing: Standing) -> RateLimited:
    state["rate_limit"] = headers(standing)
    RATE_LIMITED.labels(standing.limit.name).inc()
    return RateLimited("Too many requests: please try again later", max(1, seconds(standing.wait_ms)))
