"""The use cases of operators. What gateways know is asked of each process through Redis (rt/wire/inquiry.py)."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from api.operators import store
from api.operators.rules import Reason, Told, as_published, asked_of, reasons, totals
from config.db.database import Database
from config.errors import Forbidden, RetryLater
from config.redis import AWAY, RedisClient
from rt.auth.tokens import Access
from rt.feed.positions import Position
from rt.feed.store import FeedStore
from rt.map import read
from rt.operators.ask import Look, ask
from rt.wire.channels import parse
from rt.wire.inquiry import Inquiry, Place

LOOK_KEPT_S: Final = 1.0  # however many operators look, gateways are asked once in this time
ROLE: Final = "admin"


class Operators:
    """One per process. Raises Forbidden for whoever has not the role, by token and row; RetryLater while Redis is
    away."""

    def __init__(self, db: Database, redis: RedisClient, flags: Callable[[], Sequence[Any]]) -> None:
        """`flags`: what each is for nobody."""
        self._db = db
        self._redis = redis
        self._feeds = FeedStore(redis)
        self._flags = flags
        self._turn = asyncio.Lock()
        self._looked: Look | None = None

    async def overview(self, access: Access | None) -> dict[str, Any]:
        """How the installation is."""
        viewer, db = await self._operator(access)
        look = await self._look()
        waiting = await store.waiting(db, viewer, None)
        try:
            people = await read.totals(self._redis)
        except AWAY:
            raise RetryLater("Redis does not answer") from None
        return {
            "asked": look.asked,
            "answered": len(look.answers),
            "presence": {"online": people.users, "training": people.training},
            "relay": {"waiting": waiting.depth, "lagS": round(waiting.lag_s, 3)},
            "jobs": msgspec.to_builtins(await store.jobs(db, viewer)),
            "flags": msgspec.to_builtins(self._flags()),
            **totals(look.answers),
        }

    async def why(self, access: Access | None, body: bytes) -> list[Reason]:
        """Why a user did not get an event. Raises BadInput."""
        viewer, db = await self._operator(access)
        user, event = asked_of(body)
        if isinstance(user, str):
            found = await store.person_of(db, viewer, user)
            if found is None:
                return [Reason("NO_SUCH_USER", "there is no such user")]
            user = found
        places = await store.places(db, viewer, event, user)
        waiting = await store.waiting(db, viewer, event)
        inquiry = Inquiry(uuid4().hex, str(user), [Place(place.channel, place.offset) for place in places])
        if not places:
            return reasons(places, waiting, [], 0)
        look = await self._ask(inquiry)
        return reasons(as_published(places, await self._heads(places)), waiting, look.answers, look.asked)

    async def _operator(self, access: Access | None) -> tuple[UUID, Database]:
        if access is None or ROLE not in access.roles:
            raise Forbidden
        viewer = UUID(access.user)
        db = self._db.for_request(viewer)
        if not await store.is_operator(db, viewer):
            raise Forbidden
        return viewer, db

    async def _look(self) -> Look:
        async with self._turn:
            if self._looked is None or time.monotonic() - self._looked.at >= LOOK_KEPT_S:
                self._looked = await self._ask(Inquiry(uuid4().hex))
            return self._looked

    async def _heads(self, places: Sequence[Told]) -> list[Position | None]:
        channels = [channel for place in places if (channel := parse(place.channel)) is not None]
        try:
            return await self._feeds.heads(channels)
        except AWAY:
            raise RetryLater("Redis does not answer") from None

    async def _ask(self, inquiry: Inquiry) -> Look:
        try:
            return await ask(self._redis, inquiry)
        except AWAY:
            raise RetryLater("Redis does not answer") from None
