"""The use cases of people: find them, follow, answer, block, and choose who may see oneself."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from api.accounts.revocations import Revocations
from api.accounts.rules import audience_chosen, reading_ended
from api.community import store
from api.community.rules import (
    Presence,
    Profile,
    check_outcome,
    check_search,
    place_in_people,
    place_in_search,
    presence_of,
)
from api.community.store import Listed
from api.loader import Loader
from api.outbox import Wake
from api.pages import Edge, Page, PageInfo, encode_cursor, page_size
from config.db.database import Database
from config.errors import NotFound
from config.ids import uuid7
from config.redis import AWAY, RedisClient
from rt.presence.members import Here
from rt.presence.read import here


class Presences:
    """Who is here of those whom one request asks for: all that ask in one turn of the loop are one trip to Redis."""

    def __init__(self, redis: RedisClient, partitions: int) -> None:
        self._redis = redis
        self._partitions = partitions
        self._loader: Loader[UUID, Here | None] = Loader(self._load)

    async def of(self, users: Sequence[UUID]) -> list[Here | None]:
        """Each of them, None where nobody is. Raises as Redis does."""
        return await self._loader.get_all(users)

    async def _load(self, users: Sequence[UUID]) -> dict[UUID, Here | None]:
        found = await here(self._redis, [str(one) for one in users], self._partitions)
        return dict(zip(users, found, strict=True))


class Community:
    """Use cases of a viewer over one database. Whom the viewer may not see is not there: NotFound."""

    def __init__(self, db: Database, presences: Presences, revocations: Revocations, wake: Wake) -> None:
        self._db = db
        self._presences = presences
        self._revocations = revocations
        self._wake = wake

    # --- reads

    async def profile(self, viewer: UUID | None, user: UUID, now: datetime) -> Profile:
        """Somebody. Raises NotFound."""
        found = await store.profiles(self._db.by_replica, viewer, [user], now)
        if not found:
            raise NotFound
        return found[0]

    async def profiles(self, viewer: UUID | None, users: Sequence[UUID], now: datetime) -> dict[UUID, Profile]:
        """Of these users those whom the viewer may see."""
        found = await store.profiles(self._db.by_replica, viewer, list(set(users)), now) if users else []
        return {one.id: one for one in found}

    async def search(
        self, viewer: UUID | None, text: str, now: datetime, first: int | None = None, after: str | None = None
    ) -> Page[Profile]:
        """A page of those with a word in their name that begins so, by that word. Raises BadInput."""
        size = page_size(first)
        place = None if after is None else place_in_search(after)
        rows = await store.named(self._db.by_replica, viewer, check_search(text), place, size + 1, now)
        return _page(rows, size, [encode_cursor(row.profile.id, row.by) for row in rows[:size]])

    async def people(
        self, viewer: UUID, user: UUID, what: str, now: datetime, first: int | None = None, after: str | None = None
    ) -> Page[Profile]:
        """A page of a user's `followers` or `following`, or of the viewer's own `requests`, the newest first. Raises
        BadInput, NotFound."""
        size = page_size(first)
        place = None if after is None else place_in_people(after)
        rows = await store.people(self._db.by_replica, viewer, user, what, place, size + 1, now)
        if rows is None:
            raise NotFound
        return _page(rows, size, [encode_cursor(row.by.isoformat(), row.profile.id) for row in rows[:size]])

    async def presence(self, profiles: Sequence[Profile], now: datetime) -> list[Presence | None]:
        """How each is now; None where the viewer may not know it, or nobody does."""
        told = [profile.id for profile in profiles if profile.details]
        try:
            found = dict(zip(told, await self._presences.of(told), strict=True))
        except AWAY:
            return [None] * len(profiles)
        return [presence_of(one, found[one.id], now) if one.details else None for one in profiles]

    # --- changes. Each may be repeated: what is so already stays.

    async def follow(self, viewer: UUID, user: UUID, now: datetime) -> Profile:
        """Follows at once, or asks to, by the user's audience. Raises NotFound, Conflict (oneself, or a bound)."""
        done = await store.follow(self._db, viewer, user, now, uuid7())
        check_outcome(done.outcome)
        self._wake.soon()
        return await self.profile(viewer, user, now)

    async def unfollow(self, viewer: UUID, user: UUID, now: datetime) -> Profile:
        """Follows no more, or takes the request back. Raises NotFound, also after it is done where the user has become
        invisible."""
        done = await store.unfollow(self._db, viewer, user, now)
        check_outcome(done.outcome)
        await self._end(user, viewer, done.void_before)
        return await self.profile(viewer, user, now)

    async def answer(self, viewer: UUID, user: UUID, now: datetime, *, accept: bool) -> Profile:
        """Lets somebody follow who asked, or not. Raises NotFound where nobody asked whom the viewer may see."""
        done = await store.answer(self._db, viewer, user, now, accept=accept)
        check_outcome(done.outcome)
        return await self.profile(viewer, user, now)

    async def block(self, viewer: UUID, user: UUID, now: datetime) -> bool:
        """Neither is there for the other any more. Raises NotFound, Conflict."""
        done = await store.block(self._db, viewer, user, now)
        check_outcome(done.outcome)
        await self._end(viewer, user, done.void_before)
        await self._end(user, viewer, done.void_other)
        return True

    async def unblock(self, viewer: UUID, user: UUID, now: datetime) -> bool:
        """They may see each other again; nobody follows for it. Raises NotFound."""
        check_outcome((await store.unblock(self._db, viewer, user, now)).outcome)
        return True

    async def set_audience(self, viewer: UUID, audience: str, now: datetime) -> None:
        """Who may see the viewer from now on. Raises Unauthenticated where the account is gone."""
        chosen = await store.set_audience(self._db, viewer, audience, now)
        check_outcome(chosen.outcome)
        if chosen.at is not None:
            await self._revocations.tell_audience(audience_chosen(viewer, audience, chosen.at))
        await self._end(viewer, viewer, chosen.void_before)

    async def _end(self, owner: UUID, reader: UUID, void_before: int | None) -> None:
        if void_before is not None:
            await self._revocations.tell_readers([reading_ended(owner, reader, void_before)])


def _page(rows: Sequence[Listed], size: int, cursors: Sequence[str]) -> Page[Profile]:
    edges = tuple(Edge(cursor, row.profile) for cursor, row in zip(cursors, rows, strict=False))
    return Page(edges, PageInfo(edges[-1].cursor if edges else None, len(rows) > size))
