"""The only way out for events: recorded in the transaction of what caused them, carried on by the relay."""

import asyncio
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson
import structlog

from config.db.database import Transaction
from config.db.queries import load_queries
from config.limits import RELAY_WAKE_S
from config.metrics import FAILURES
from config.redis import AWAY, RedisClient
from rt.wire.bus import RELAY_WAKE_CHANNEL
from rt.wire.channels import OWN_NAMESPACE

log = structlog.get_logger()

_QUERIES: Final = load_queries(__file__, "outbox.sql")
_APPEND_EVENT: Final = _QUERIES["append_event"]


class Event(msgspec.Struct, frozen=True):
    """What happened, to whom, and who may know. `data` is snake_case and belongs to `type` and `v`."""

    id: UUID
    at: datetime
    type: str
    v: int
    account_id: UUID
    user_id: UUID
    user_name: str
    visibility: tuple[str, ...]
    data: dict[str, Any]
    namespace: str = OWN_NAMESPACE


async def append(tx: Transaction, event: Event) -> None:
    """Records the event, for good and for the relay, as part of the transaction."""
    await tx.execute(
        _APPEND_EVENT,
        event.id,
        event.at,
        event.namespace,
        event.type,
        event.v,
        event.account_id,
        event.user_id,
        event.user_name,
        event.visibility,
        orjson.dumps(event.data).decode(),
    )


class Wake:
    """Tells the relay after a commit that there is work. It polls anyway: a wake-up that is lost costs 50 ms."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._due = asyncio.Event()

    def soon(self) -> None:
        """Call it after a commit. Never waits, never fails; calls that come together are one."""
        self._due.set()

    async def run(self) -> None:
        """Sends the wake-ups, one at a time, for as long as the process lives."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                async with asyncio.timeout(RELAY_WAKE_S):
                    await self._redis.publish(RELAY_WAKE_CHANNEL, b"")
            except AWAY as error:
                FAILURES.labels("relay_wake").inc()
                log.debug("relay_not_woken", error=type(error).__name__)
