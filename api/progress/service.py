"""The use cases of progress: streak, achievements, the time zone, the archetype."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from api.loader import Loader
from api.outbox import Wake
from api.progress import store
from api.progress.rules import Achieved, EarnedAchievement, Streak, archetype_id, check_time_zone
from api.reference.goals import Archetype
from api.reference.service import Reference
from config.db.database import Database, Transaction
from config.errors import NotFound, RateLimited, Unauthenticated
from config.ids import uuid7
from config.limits import TIME_ZONE_CHANGES_MAX, TIME_ZONE_RETRY_S


class TimeZones:
    """The names that the database computes with, read when they are first asked for; one for a process."""

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()

    async def names(self, db: Database) -> frozenset[str]:
        """All of them. Raises RetryLater."""
        if not self._names:
            self._names = await store.time_zones(db)
        return self._names


class Progress:
    """Use cases over one database."""

    def __init__(self, db: Database, reference: Reference, zones: TimeZones, wake: Wake) -> None:
        self._db = db
        self._reference = reference
        self._zones = zones
        self._wake = wake
        self._loaders: dict[UUID | None, Loader[UUID, Achieved]] = {}

    async def streak(self, user_id: UUID, now: datetime) -> Streak:
        """Days in a row. Raises Unauthenticated where the account is gone."""
        found = await store.streak(self._db, user_id, now)
        if found is None:
            raise Unauthenticated
        return found

    async def achievements(
        self, viewer: UUID | None, users: Sequence[UUID], now: datetime
    ) -> list[list[EarnedAchievement]]:
        """What each has earned, the newest first."""
        known = {one.id: one for one in self._reference.ready().goals.achievements}
        found = await self._achieved(viewer, now).get_all(users)
        earned = [[EarnedAchievement(known[wanted], at) for wanted, at in of.earned if wanted in known] for of in found]
        return [sorted(all_of, key=_by_newest, reverse=True) for all_of in earned]

    async def archetypes(self, viewer: UUID | None, users: Sequence[UUID], now: datetime) -> list[Archetype | None]:
        """The way in which each trains; None for who has chosen none."""
        known = self._reference.ready()
        found = await self._achieved(viewer, now).get_all(users)
        return [None if of.archetype_id is None else known.archetype(of.archetype_id) for of in found]

    def _achieved(self, viewer: UUID | None, now: datetime) -> Loader[UUID, Achieved]:
        async def load(users: Sequence[UUID]) -> dict[UUID, Achieved]:
            return await store.achieved(self._db.by_replica, viewer, users, now)

        return self._loaders.setdefault(viewer, Loader(load))

    async def set_time_zone(self, user_id: UUID, name: str, now: datetime) -> None:
        """From now on the user's dates fall in another time zone. Raises BadInput, RateLimited, Unauthenticated."""
        zone = check_time_zone(name, await self._zones.names(self._db))
        match await store.set_time_zone(self._db, user_id, zone, now, TIME_ZONE_CHANGES_MAX, uuid7()):
            case "too_many":
                raise RateLimited("The time zone was changed too often", TIME_ZONE_RETRY_S)
            case "unknown_user":
                raise Unauthenticated
        self._wake.soon()

    async def set_archetype(self, user_id: UUID, wanted: str, now: datetime) -> None:
        """The way in which a user trains. Raises NotFound, Unauthenticated."""
        archetype = archetype_id(wanted)
        if archetype is None or self._reference.ready().archetype(archetype) is None:
            raise NotFound

        async def work(tx: Transaction) -> bool:
            return await store.set_archetype(tx, user_id, archetype, now)

        async def settle(_: Transaction) -> bool | None:
            return None  # done or not, it may run again

        if not await self._db.write(work, lane=user_id, settle=settle):
            raise Unauthenticated


def _by_newest(earned: EarnedAchievement) -> tuple[datetime, float]:
    return earned.earned_at, earned.achievement.threshold
