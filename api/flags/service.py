"""The use cases of flags: whether one is on for somebody. Asked as OpenFeature asks, kept fresh beside the requests.

PostgreSQL is the truth, read every FLAGS_EVERY_S and at once when Redis carries the word that something has changed.
What gateways go by, who have neither, this process tells them through Redis as often.
"""

import asyncio
from typing import Final
from uuid import UUID

import msgspec
import structlog
from openfeature import api
from openfeature.evaluation_context import EvaluationContext

from api.flags import store
from api.flags.provider import Provider
from api.flags.rules import DEFAULTS
from config.db.database import Database
from config.db.postgres import ERRORS
from config.errors import RetryLater
from config.limits import FLAGS_EVERY_S
from config.metrics import FAILURES
from config.process import set_within
from config.redis import AWAY, RedisClient, heard
from rt.wire.bus import CONTROL_CHANNEL, FLAGS_KEY
from rt.wire.flags import CHANGED, encode_flags

log = structlog.get_logger()


class Flag(msgspec.Struct, frozen=True):
    """A flag as clients hear it."""

    key: str
    enabled: bool


class Flags:
    """One per process; `enabled` is what the rest of the product asks."""

    def __init__(self, db: Database, redis: RedisClient) -> None:
        self._db = db
        self._redis = redis
        self._provider = Provider()
        domain = f"musclemap-{id(self)}"  # the SDK keeps providers in one table for the process
        api.set_provider_and_wait(self._provider, domain)
        self._client: Final = api.get_client(domain)
        self._known = False  # whether PostgreSQL was read
        self._due = asyncio.Event()

    def enabled(self, key: str, user: UUID | str | None) -> bool:
        """Whether a flag of api/flags/rules.py is on for a user, or for whoever is not signed in. Raises KeyError for
        a key that is not listed there."""
        context = None if user is None else EvaluationContext(str(user))
        return self._client.get_boolean_value(key, DEFAULTS[key], context)

    def all(self, user: str | None) -> list[Flag]:
        """Every flag, for a user or for nobody."""
        return [Flag(key, self.enabled(key, user)) for key in DEFAULTS]

    async def run(self) -> None:
        """Keeps them fresh for as long as the process lives; while a store is away, what was known last holds."""
        while True:
            self._due.clear()
            for step in (self.load, self.publish):
                try:
                    await step()
                except (*AWAY, *ERRORS, RetryLater) as error:
                    FAILURES.labels("flags").inc()
                    log.debug("flags_not_fresh", error=type(error).__name__)
            await set_within(self._due, FLAGS_EVERY_S)

    async def listen(self) -> None:
        """Hears at once that one has changed, for as long as the process lives; what is lost `run` reads."""
        while True:
            try:
                async for message in heard(self._redis, CONTROL_CHANNEL, FLAGS_EVERY_S):
                    if message == CHANGED:
                        self._due.set()
            except AWAY as error:
                log.debug("flags_not_heard", error=type(error).__name__)
            await asyncio.sleep(FLAGS_EVERY_S)

    async def load(self) -> None:
        """Reads what flags are set to. Raises RetryLater and what PostgreSQL raises."""
        changed = self._provider.know(await store.states(self._db, list(DEFAULTS)))
        self._known = True
        if changed:
            log.info("flags_changed", flags=changed)

    async def publish(self) -> None:
        """Tells gateways, those that listen and those that start later. Raises as Redis does."""
        if not self._known:
            return  # another process may know better
        told = encode_flags({key: self.enabled(key, None) for key in DEFAULTS})
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(FLAGS_KEY, told)
        pipe.publish(CONTROL_CHANNEL, told)
        await pipe.execute()
