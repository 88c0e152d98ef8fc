"""The use cases of other apps: they publish, read what they published, and ask who is there, each by its server key."""

import asyncio
import math
from datetime import datetime
from typing import Any, Final

import structlog

from api.apps import store
from api.apps.rules import App, Published, batch_of, channel_of, history_of, results_of, since_of, told
from api.outbox import Wake
from config.db.database import Database, Transaction
from config.db.postgres import ERRORS
from config.errors import Conflict, Forbidden, RateLimited, RetryLater
from config.limits import APP_CHANNELS_MAX, APP_PAGE_BYTES_MAX, APP_PAGE_MAX, APPS_EVERY_S
from config.metrics import FAILURES
from config.redis import AWAY, RedisClient
from rt.auth import apps as gateways
from rt.presence.rooms import Present, present
from rt.wire.bus import APPS_CHANGED, APPS_DIGEST_KEY, APPS_KEY, CONTROL_CHANNEL

log = structlog.get_logger()

_LANE: Final = "app"  # requests of one app wait for each other here, and take one connection


class OtherApps:
    """One per process. Whoever has no key of the namespace gets Forbidden, whatever is wrong with it."""

    def __init__(self, db: Database, redis: RedisClient, wake: Wake) -> None:
        self._db = db
        self._redis = redis
        self._wake = wake
        self._widget_origins: frozenset[str] | None = None

    @property
    def widget_origins(self) -> frozenset[str] | None:
        """Whose pages may show a widget, as it was a moment ago; None until PostgreSQL was asked once."""
        return self._widget_origins

    async def publish(self, namespace: str, key_hash: bytes, body: bytes, now: datetime) -> list[Published]:
        """Puts events out, all or none, in their order, each once by its id; durable when it returns. Raises Forbidden,
        BadInput, PayloadTooLarge, RateLimited and Conflict."""
        app = await self._app(namespace, key_hash)
        batch = batch_of(app, body, now)

        async def work(tx: Transaction) -> store.Outcome:
            outcome = await store.publish(tx, namespace, batch, now)
            if outcome.crowded:
                raise Conflict(f"An app has at most {APP_CHANNELS_MAX} channels")
            return outcome

        async def settle(_: Transaction) -> None:  # the ids tell: done again, it says `existing`
            return None

        outcome = await self._db.write(work, lane=(_LANE, namespace), settle=settle)
        if outcome.wait_s is not None:
            raise RateLimited(f"At most {app.rate} events a second", max(1, math.ceil(outcome.wait_s)))
        self._wake.soon()
        return results_of(batch, outcome.fresh)

    async def history(self, namespace: str, key_hash: bytes, name: str, place: str | None) -> dict[str, Any]:
        """What was published on a channel after a place, as far as it is kept. Raises Forbidden and BadInput."""
        await self._app(namespace, key_hash)
        channel, since = channel_of(namespace, name), since_of(place)
        after = since.offset if since is not None else 0
        past = await store.history(self._db, namespace, channel.name, after, APP_PAGE_MAX)
        if since is not None and since.epoch not in (None, past.epoch) and after:
            past = await store.history(self._db, namespace, channel.name, 0, APP_PAGE_MAX)
        return history_of(past, since, APP_PAGE_BYTES_MAX)

    async def presence(self, namespace: str, key_hash: bytes, name: str) -> Present:
        """Which users of the app read a channel now; nobody where the app has presence off. Raises RetryLater while
        Redis is away."""
        app = await self._app(namespace, key_hash)
        channel = channel_of(namespace, name)
        if not app.presence:
            return Present(0, [])
        try:
            return await present(self._redis, channel)
        except AWAY:
            raise RetryLater("Presence is not known at the moment") from None

    async def run(self) -> None:
        """Tells gateways what PostgreSQL has, for as long as the process lives; while a store is away, nothing new."""
        while True:
            try:
                await self.tell()
            except (*AWAY, *ERRORS, RetryLater) as error:
                FAILURES.labels("apps").inc()
                log.debug("apps_not_told", error=type(error).__name__)
            await asyncio.sleep(APPS_EVERY_S)

    async def tell(self) -> None:
        """Once. Raises RetryLater, what PostgreSQL raises and as Redis does."""
        apps, widgets = await self._db.read(store.everything)
        self._widget_origins = frozenset(widget.origin for widget in widgets)
        await tell(self._redis, gateways.encode(*told(apps, widgets)))

    async def _app(self, namespace: str, key_hash: bytes) -> App:
        app = await store.app_of_key(self._db.for_request(None), namespace, key_hash)
        if app is None:
            raise Forbidden
        return app


async def tell(redis: RedisClient, text: bytes) -> None:
    """Tells gateways, those that listen and those that start later, unless Redis has it. Raises as Redis does."""
    digest = gateways.digest_of(text)
    if await redis.get(APPS_DIGEST_KEY) == digest.encode() and await redis.exists(APPS_KEY):
        return
    pipe = redis.pipeline(transaction=False)
    pipe.set(APPS_KEY, text)
    pipe.set(APPS_DIGEST_KEY, digest)
    pipe.publish(CONTROL_CHANNEL, APPS_CHANGED)
    await pipe.execute()
