"""The use cases of one's own data: take all of it along, and end the account."""

import asyncio
import math
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog

from api.accounts.passwords import Caller
from api.accounts.revocations import Revocations
from api.accounts.rules import reading_ended
from api.accounts.service import Accounts
from api.graphql.execution import Ready
from api.privacy import store
from api.privacy.rules import written
from config.db.database import Database, Transaction
from config.errors import AnswerTooLarge, Forbidden, RateLimited, RetryLater, Unauthenticated
from config.limits import EXPORTS_AT_ONCE_MAX, EXPORTS_PER_DAY_MAX, PASSWORD_TRIES_MAX

log = structlog.get_logger()

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600


class DataExport(NamedTuple):
    """Everything of a user at one instant; `data` as rules.py has it."""

    created_at: datetime
    data: Ready


class Room:
    """Exports that this process makes now."""

    def __init__(self) -> None:
        self.free = EXPORTS_AT_ONCE_MAX


class Privacy:
    """Use cases over one database."""

    def __init__(self, db: Database, accounts: Accounts, revocations: Revocations, room: Room) -> None:
        self._db = db
        self._accounts = accounts
        self._revocations = revocations
        self._room = room

    async def export(self, user_id: UUID, now: datetime) -> DataExport:
        """All that is kept of a user. Raises RateLimited, RetryLater while others take theirs, Unauthenticated."""
        if self._room.free <= 0:
            raise RetryLater
        self._room.free -= 1
        try:
            await self._turn(user_id, "export", EXPORTS_PER_DAY_MAX, _DAY_S, now)

            async def work(tx: Transaction) -> tuple[str, dict[str, list[str]]] | None:
                return await store.export(tx, user_id)

            found = await self._db.snapshot(work)
            if found is None:
                raise Unauthenticated
            return DataExport(now, Ready(written(*found)))
        except store.TooLargeError:
            log.warning("export_too_large")
            raise AnswerTooLarge("There is more of you than fits into one answer: please write to us") from None
        finally:
            self._room.free += 1

    async def delete(self, user_id: UUID, password: str, now: datetime) -> bool:
        """Ends the account; True, also where another request was faster. Raises Forbidden for a wrong password, and
        RateLimited after too many of them.

        Once it is committed nothing is left to fail: sockets, and what Redis knows, follow from what PostgreSQL says.
        """
        await self._turn(user_id, "password", PASSWORD_TRIES_MAX, _HOUR_S, now)
        verified = await self._accounts.verified(user_id, password, Caller(f"user {user_id}", _stays))
        if verified is None:
            raise Forbidden("The password is wrong")

        async def work(tx: Transaction) -> store.Erased | None:
            return await store.erase(tx, user_id, verified, now)

        async def settle(_: Transaction) -> store.Erased | None:
            return None  # run again: it finds nobody where it was done

        erased = await self._db.write(work, lane=user_id, settle=settle, takes=True)
        if erased is None:
            if await self._accounts.exists(user_id):
                raise RetryLater  # the password was changed in between
            return True
        log.info("account_deleted", account=str(erased.account), sessions=len(erased.sessions))
        await self._revocations.tell(erased.sessions)
        await self._revocations.tell_readers([reading_ended(user_id, user_id, erased.void_before)])
        return True

    async def _turn(self, user_id: UUID, what: str, most: int, window_s: int, now: datetime) -> None:
        taken, began_at = await store.take_turn(self._db, user_id, what, now, window_s)
        if taken > most:
            wait = began_at + timedelta(seconds=window_s) - now
            raise RateLimited("Too often: please try again later", max(1, math.ceil(wait.total_seconds())))


async def _stays() -> Any:
    """An ASGI `receive` of a caller who does not leave: whoever deletes an account and goes has deleted it."""
    await asyncio.get_running_loop().create_future()
