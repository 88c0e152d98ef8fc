"""Takes users who have deleted their account out of Redis: until nothing of them is there, whatever happens to Redis,
to this process, or to a relay that had something of them at hand.

Gateways hear of it as of any other session that ends (api/accounts/revocations.py). Who it was is remembered for no
longer than this takes, and until no channel token for their profile is left: 22 minutes.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from api.privacy import store
from config.db.database import Database
from config.db.postgres import ERRORS
from config.errors import RetryLater
from config.limits import ERASURE_SETTLE_S
from config.metrics import FAILURES
from config.redis import AWAY, RedisClient
from rt.auth.revoked import EVERYBODY
from rt.feed.store import FeedStore
from rt.presence.store import forget
from rt.wire.bus import ENDED_KEY, REVOKED_KEY
from rt.wire.channels import OWN_NAMESPACE, parse_stored, profile_channel, user_channel

log = structlog.get_logger()

ERASURES_EVERY_S: Final = 2.0
_AUDIENCES: Final = ("everyone", "followers", "nobody")  # what they have chosen lately


class Erasures:
    """See the module."""

    def __init__(self, db: Database, redis: RedisClient, partitions: int) -> None:
        self._db = db
        self._redis = redis
        self._feeds = FeedStore(redis)
        self._partitions = partitions

    async def run(self) -> None:
        """For as long as the process lives; several APIs do so side by side."""
        while True:
            try:
                await self.settle()
            except (*AWAY, *ERRORS, RetryLater) as error:
                FAILURES.labels("erasures").inc()
                log.debug("erasures_not_settled", error=type(error).__name__)
            await asyncio.sleep(ERASURES_EVERY_S)

    async def settle(self) -> None:
        """One look at each of them. Raises what the stores raise."""
        for erasure in await store.erasures(self._db):
            user = str(erasure.user_id)
            told = [channel for name in erasure.told if (channel := parse_stored(OWN_NAMESPACE, name)) is not None]
            await self._feeds.forget(user_channel(user), profile_channel(user), *told)
            await self._redis.zrem(REVOKED_KEY, *(f"audience:{user} {word}" for word in _AUDIENCES))
            here = await forget(self._redis, user, self._partitions)
            before = datetime.now(UTC) - timedelta(seconds=ERASURE_SETTLE_S)
            if await store.settle(self._db, erasure.user_id, not here, before):
                await self._redis.zrem(ENDED_KEY, f"channel:{profile_channel(user).wire} {EVERYBODY}")
