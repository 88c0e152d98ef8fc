"""The use cases of operators. What gateways know is asked of each process through Redis (rt/wire/inquiry.py)."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast
from uuid import UUID, uuid4

import msgspec

from api.operators import store
from api.operators.rules import Reason, asked_of, reasons, totals
from config.db.database import Database
from config.errors import Forbidden, RetryLater
from config.limits import INQUIRY_ANSWER_S
from config.redis import AWAY, RedisClient
from rt.auth.tokens import Access
from rt.map import read
from rt.wire.inquiry import INQUIRY_CHANNEL, Answer, Inquiry, Place, answers_key, decode_answer, encode

LOOK_KEPT_S: Final = 1.0  # however many operators look, gateways are asked once in this time
ROLE: Final = "admin"


class Operators:
    """One per process. Raises Forbidden for whoever has not the role, by token and row; RetryLater while Redis is
    away."""

    def __init__(self, db: Database, redis: RedisClient, flags: Callable[[], Sequence[Any]]) -> None:
        """`flags`: what each is for nobody."""
        self._db = db
        self._redis = redis
        self._flags = flags
        self._turn = asyncio.Lock()
        self._looked: tuple[float, int, list[Answer]] = (-LOOK_KEPT_S, 0, [])

    async def overview(self, access: Access | None) -> dict[str, Any]:
        """How the installation is."""
        viewer, db = await self._operator(access)
        asked, answers = await self._look()
        waiting = await store.waiting(db, viewer, None)
        try:
            people = await read.totals(self._redis)
        except AWAY:
            raise RetryLater("Redis does not answer") from None
        return {
            "asked": asked,
            "answered": len(answers),
            "presence": {"online": people.users, "training": people.training},
            "relay": {"waiting": waiting.depth, "lagS": round(waiting.lag_s, 3)},
            "jobs": msgspec.to_builtins(await store.jobs(db, viewer)),
            "flags": msgspec.to_builtins(self._flags()),
            **totals(answers),
        }

    async def why(self, access: Access | None, body: bytes) -> list[Reason]:
        """Why a user did not get an event. Raises BadInput."""
        viewer, db = await self._operator(access)
        user, event = asked_of(body)
        if isinstance(user, str):
            found = await store.user_of(db, user)
            if found is None:
                return [Reason("NO_SUCH_USER", "there is no such user")]
            user = found
        places = await store.places(db, viewer, event, user)
        waiting = await store.waiting(db, viewer, event)
        inquiry = Inquiry(uuid4().hex, str(user), [Place(place.channel, place.offset) for place in places])
        asked, answers = await self._ask(inquiry) if places else (0, [])
        return reasons(places, waiting, answers, asked)

    async def _operator(self, access: Access | None) -> tuple[UUID, Database]:
        if access is None or ROLE not in access.roles:
            raise Forbidden
        viewer = UUID(access.user)
        db = self._db.for_request(viewer)
        if not await store.is_operator(db, viewer):
            raise Forbidden
        return viewer, db

    async def _look(self) -> tuple[int, list[Answer]]:
        async with self._turn:
            at, asked, answers = self._looked
            if time.monotonic() - at >= LOOK_KEPT_S:
                asked, answers = await self._ask(Inquiry(uuid4().hex))
                self._looked = (time.monotonic(), asked, answers)
            return asked, answers

    async def _ask(self, inquiry: Inquiry) -> tuple[int, list[Answer]]:
        """How many processes were asked, and what they answered within INQUIRY_ANSWER_S."""
        answers: list[Answer] = []
        try:
            asked = int(await self._redis.publish(INQUIRY_CHANNEL, encode(inquiry)))
            end = time.monotonic() + INQUIRY_ANSWER_S
            while len(answers) < asked and (left_s := end - time.monotonic()) > 0:
                told = await self._redis.blpop([answers_key(inquiry.id)], timeout=left_s)
                answer = decode_answer(cast("bytes", told[1])) if told else None
                if answer is not None:
                    answers.append(answer)
        except AWAY:
            raise RetryLater("Redis does not answer") from None
        return asked, answers
