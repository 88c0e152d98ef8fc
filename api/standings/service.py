"""The use cases of leaderboards and rivals."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from api.community.rules import Profile
from api.community.service import Community
from api.pages import Edge, PageInfo, encode_cursor, page_size
from api.standings import store
from api.standings.rules import Entry, Leaderboard, Rival, Standing, place_after
from config.db.database import Database
from config.errors import Conflict, NotFound
from config.limits import RIVALS_MAX


class Standings:
    """Use cases over one database; who somebody is, the community says."""

    def __init__(self, db: Database, community: Community) -> None:
        self._db = db
        self._community = community

    async def leaderboard(
        self,
        viewer: UUID | None,
        board: str,
        period: str,
        now: datetime,
        first: int | None = None,
        after: str | None = None,
    ) -> Leaderboard:
        """A page of a list, the best first, as the viewer (None = nobody) sees it. Raises BadInput."""
        size = page_size(first)
        found = await store.leaderboard(self._db.by_replica, viewer, board, period, place_after(after), size + 1)
        rows = found.rows[:size]
        seen = [one.user_id for one in (*rows, found.me) if one is not None and one.user_id is not None]
        profiles = await self._community.profiles(viewer, seen, now)
        edges = tuple(Edge(encode_cursor(row.place), _entry(row, viewer, profiles)) for row in rows)
        return Leaderboard(
            edges,
            PageInfo(edges[-1].cursor if edges else None, len(found.rows) > size),
            None if found.me is None else _entry(found.me, viewer, profiles),
            found.refreshed_at,
        )

    async def rivals(self, user_id: UUID, now: datetime) -> list[Rival]:
        """A user's rivals, the newest first; not those whom the user may no longer see."""
        pairs = await store.rivals(self._db, user_id)
        profiles = await self._community.profiles(user_id, [pair.rival_id for pair in pairs], now)
        return [
            Rival(profiles[pair.rival_id], pair.since, pair.my_score, pair.their_score)
            for pair in pairs
            if pair.rival_id in profiles  # else it was deleted in between
        ]

    async def add_rival(self, user_id: UUID, rival_id: UUID, now: datetime) -> Rival:
        """A rival from `now` on, or the one that is there. Raises NotFound, Conflict (oneself, or one too many)."""
        if user_id == rival_id:
            raise Conflict("Nobody is their own rival")
        match await store.add_rival(self._db, user_id, rival_id, now):
            case "full":
                raise Conflict(f"There are {RIVALS_MAX} rivals already")
            case "added" | "there":
                for one in await self.rivals(user_id, now):
                    if one.profile.id == rival_id:
                        return one
        raise NotFound

    async def remove_rival(self, user_id: UUID, rival_id: UUID) -> bool:
        """Whether there was one."""
        return await store.remove_rival(self._db, user_id, rival_id)


def _entry(row: Standing, viewer: UUID | None, profiles: Mapping[UUID, Profile]) -> Entry:
    mine = viewer is not None and row.user_id == viewer
    return Entry(row.rank, None if row.user_id is None else profiles.get(row.user_id), row.score, mine)
