"""Leaderboards and rivals: what each list counts, who is told whom, pages, and what a rival costs."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from api.accounts.revocations import Revocations
from api.community.service import Community, Presences
from api.pages import encode_cursor
from api.standings.service import Standings
from config.db.database import Database as DatabaseUse
from config.errors import ApiError, BadInput, Conflict, NotFound
from config.limits import PLACES_MAX, RIVALS_MAX
from config.redis import connect as connect_redis
from tests.support.athletes import athletes, somebody
from tests.support.ledger import Ledger, connection, ledger
from tests.support.stores import Database
from worker.jobs.every import JOBS
from worker.jobs.runner import Outcome, run_slot

pytestmark = pytest.mark.timeout(120)

NOW = datetime.now(UTC)


class World:
    """A database with its owner's connection, the use cases, and the job that refreshes."""

    def __init__(self, database: Database, owner: asyncpg.Connection, books: Ledger) -> None:
        self.owner = owner
        self._books = books
        self._settings = books.settings

    def of(self, viewer: UUID | None, db: DatabaseUse | None = None) -> Standings:
        """The feature for a request of this viewer."""
        own = db or self._books.db
        view = own.for_request(viewer)
        redis = connect_redis("redis://127.0.0.1:1")  # nobody asks for a presence here
        community = Community(view, Presences(redis, 1), Revocations(own, redis), self._books.wake)
        return Standings(view, community)

    def elsewhere(self, viewer: UUID) -> Standings:
        """As another process has it: its writes do not wait for ours before they begin."""
        return self.of(viewer, DatabaseUse(self._books.db.pool))

    async def refresh(self) -> None:
        slot = await self.owner.fetchval("SELECT now()")
        assert await run_slot(self._settings, JOBS["leaderboards"], slot, "me") is Outcome.DONE

    async def reached(self, user: UUID, **columns: Any) -> None:
        await self.owner.execute(
            "INSERT INTO progress (user_id, xp, volume, streak_days, streak_last, updated_at)"
            " VALUES ($1, $2, $3, $4, $5, now()) ON CONFLICT (user_id) DO UPDATE SET xp = excluded.xp,"
            " volume = excluded.volume, streak_days = excluded.streak_days, streak_last = excluded.streak_last",
            *(user, columns.get("xp", 0), columns.get("volume", 0.0), columns.get("days", 0), columns.get("last")),
        )

    async def scores(self, board: str, period: str, viewer: UUID | None = None) -> list[tuple[int, float]]:
        page = await self.of(viewer).leaderboard(viewer, board, period, NOW, 100)
        return [(edge.node.rank, edge.node.score) for edge in page.edges]


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with connection(database.superuser_url) as owner, ledger(database) as books:
        yield World(database, owner, books)


async def test_each_list_counts_what_it_says(world: World) -> None:
    """Weeks are ISO's and months the calendar's, by the date in UTC. Seen failing with a month that began 30 days ago,
    and with a week without its end (Monday is there early in the east)."""
    today = await world.owner.fetchval("SELECT today_in('UTC')")
    week, month = today - timedelta(days=today.weekday()), today.replace(day=1)
    days = {today, week, month, week - timedelta(days=1), month - timedelta(days=1), week + timedelta(days=7)}
    user = await somebody(world.owner, 1)
    for day in days:
        await world.owner.execute("INSERT INTO training_days VALUES ($1, $2, 1, 10, 2.5)", user, day)
    await world.reached(user, xp=1_000, volume=77.5, days=40, last=today)
    await world.reached(await somebody(world.owner, 2), xp=0, volume=0.0, days=3, last=today - timedelta(days=1))
    await world.refresh()
    following = (month + timedelta(days=31)).replace(day=1)
    in_week = sum(week <= day < week + timedelta(days=7) for day in days)
    in_month = sum(month <= day < following for day in days)
    assert await world.scores("XP", "WEEK") == [(1, 10.0 * in_week)]
    assert await world.scores("XP", "MONTH") == [(1, 10.0 * in_month)]
    assert await world.scores("XP", "ALL_TIME") == [(1, 1_000.0)]
    assert await world.scores("VOLUME", "WEEK") == [(1, 2.5 * in_week)]
    assert await world.scores("VOLUME", "MONTH") == [(1, 2.5 * in_month)]
    assert await world.scores("VOLUME", "ALL_TIME") == [(1, 77.5)]
    assert await world.scores("STREAK", "ALL_TIME") == [(1, 40.0), (2, 3.0)]
    assert (await world.scores("STREAK", "WEEK"))[0] == (1, min(40.0, (today - week).days + 1.0))
    assert (await world.scores("STREAK", "MONTH"))[0] == (1, min(40.0, float(today.day)))


async def test_equal_scores_share_a_rank_in_a_stable_order(world: World) -> None:
    """Seen failing with places that follow each refresh."""
    users = [await somebody(world.owner, n) for n in range(6)]
    for user, xp in zip(users, (50, 70, 50, 70, 50, 10), strict=True):
        await world.reached(user, xp=xp)
    for _ in range(2):
        await world.refresh()
        page = await world.of(users[0]).leaderboard(users[0], "XP", "ALL_TIME", NOW)
        assert [edge.node.rank for edge in page.edges] == [1, 1, 3, 3, 3, 6]
        names = [edge.node.profile.id for edge in page.edges if edge.node.profile]
        assert names == [users[n] for n in (1, 3, 0, 2, 4, 5)]
        assert page.me is not None
        assert (page.me.rank, page.me.me) == (3, True)


async def test_pages_end_after_a_hundred_and_say_where_the_viewer_is(world: World) -> None:
    """Seen failing with the viewer's rank read from the page."""
    users = await athletes(world.owner, 130)
    last = users[0]  # the least XP
    first = await world.of(last).leaderboard(last, "XP", "ALL_TIME", NOW)
    assert (first.edges, first.me, first.refreshed_at) == ((), None, None)
    await world.refresh()
    seen: list[float] = []
    after = None
    while True:
        page = await world.of(last).leaderboard(last, "XP", "ALL_TIME", NOW, 30, after)
        seen += [edge.node.score for edge in page.edges]
        assert page.me is not None
        assert (page.me.rank, page.me.score, page.me.me) == (130, 101.0, True)
        assert page.me.profile is not None
        assert page.me.profile.id == last
        assert not any(edge.node.me for edge in page.edges)
        assert page.refreshed_at is not None
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            break
    assert seen == [100.0 + n for n in range(130, 130 - PLACES_MAX, -1)]
    nobody = await world.of(None).leaderboard(None, "XP", "ALL_TIME", NOW)
    assert nobody.me is None
    for wrong in (
        "",
        "x",
        encode_cursor(-1),
        encode_cursor(PLACES_MAX + 1),
        encode_cursor("1", "2"),
        encode_cursor("٣"),
    ):
        with pytest.raises(BadInput):
            await world.of(None).leaderboard(None, "XP", "ALL_TIME", NOW, 10, wrong)
    for size in (0, 101):
        with pytest.raises(BadInput):
            await world.of(None).leaderboard(None, "XP", "ALL_TIME", NOW, size)


async def test_names_are_told_to_whom_they_may_be(world: World) -> None:
    """By the audience of now and not that of the refresh; a rank stays where a name does not. Seen failing without
    the look at the audience."""
    viewer, open_, followers, hidden, blocking, blocked, late = [await somebody(world.owner, n) for n in range(7)]
    users = (viewer, open_, followers, hidden, blocking, blocked, late)
    for number, user in enumerate(users):
        await world.reached(user, xp=100 - number)
    await world.owner.execute("UPDATE users SET audience = 'followers' WHERE id = $1", followers)
    await world.owner.execute("UPDATE users SET audience = 'nobody' WHERE id = ANY ($1)", [hidden, viewer])
    await world.owner.execute(
        "INSERT INTO blocks VALUES ($1, $2, now()), ($2, $3, now())", *(blocking, viewer, blocked)
    )
    await world.refresh()

    async def named(who: UUID | None) -> list[UUID]:
        page = await world.of(who).leaderboard(who, "XP", "ALL_TIME", NOW)
        assert [edge.node.rank for edge in page.edges] == list(range(1, 8))
        return [edge.node.profile.id for edge in page.edges if edge.node.profile]

    assert await named(viewer) == [viewer, open_, late]
    assert await named(None) == [open_, blocking, blocked, late]
    assert await named(followers) == [open_, followers, blocking, blocked, late]
    assert await named(blocking) == [open_, blocking, blocked, late]
    await world.owner.execute("UPDATE users SET audience = 'followers' WHERE id = $1", late)
    await world.owner.execute("UPDATE users SET audience = 'everyone' WHERE id = $1", hidden)
    assert await named(viewer) == [viewer, open_, hidden]
    # A person who is gone keeps no name until the next refresh, and no rank after it.
    await world.owner.execute("DELETE FROM users WHERE id = $1", open_)
    assert await named(viewer) == [viewer, hidden]
    await world.refresh()
    page = await world.of(viewer).leaderboard(viewer, "XP", "ALL_TIME", NOW)
    assert len(page.edges) == 6


async def test_a_rival_is_somebody_who_may_be_seen(world: World) -> None:
    """Whoever may not be, is nobody. Seen failing with a block that counts in one direction."""
    me, open_, followers, hidden, blocking, blocked = [await somebody(world.owner, n) for n in range(6)]
    await world.owner.execute("UPDATE users SET audience = 'followers' WHERE id = $1", followers)
    await world.owner.execute("UPDATE users SET audience = 'nobody' WHERE id = $1", hidden)
    await world.owner.execute("INSERT INTO blocks VALUES ($1, $2, now()), ($2, $3, now())", *(blocking, me, blocked))
    await world.reached(me, xp=500)
    await world.reached(open_, xp=300)
    for user in (hidden, blocking, blocked, uuid4()):
        with pytest.raises(NotFound):
            await world.of(me).add_rival(me, user, NOW)
    with pytest.raises(Conflict):
        await world.of(me).add_rival(me, me, NOW)
    rival = await world.of(me).add_rival(me, open_, NOW)
    assert (rival.my_score, rival.their_score, rival.since) == (0, 0, NOW)
    assert (rival.profile.id, rival.profile.xp) == (open_, 300)
    again = await world.of(me).add_rival(me, open_, NOW + timedelta(hours=1))
    assert again == rival
    await world.of(me).add_rival(me, followers, NOW + timedelta(hours=1))
    assert [one.profile.id for one in await world.of(me).rivals(me, NOW)] == [followers, open_]
    assert await world.of(open_).rivals(open_, NOW) == []  # nobody hears of it
    # What changes later: nobody is shown whom they may not see, and a block parts them.
    await world.owner.execute("UPDATE users SET audience = 'nobody' WHERE id = $1", followers)
    assert [one.profile.id for one in await world.of(me).rivals(me, NOW)] == [open_]
    await world.owner.execute("SELECT part_rivals($1, $2)", open_, me)
    assert await world.of(me).rivals(me, NOW) == []
    assert await world.of(me).remove_rival(me, followers) is True
    assert await world.of(me).remove_rival(me, followers) is False


async def test_ten_rivals_are_enough(world: World) -> None:
    """Also of twenty that come at once, and of one that is asked for twenty times."""
    me, *others = await athletes(world.owner, 2 * RIVALS_MAX + 1)

    async def add(other: UUID) -> str:
        try:
            await world.elsewhere(me).add_rival(me, other, NOW)
        except ApiError as error:
            return error.code
        return "added"

    assert set(await asyncio.gather(*(add(others[0]) for _ in range(20)))) == {"added"}
    outcomes = await asyncio.gather(*(add(other) for other in others[1:]))
    assert outcomes.count("added") == RIVALS_MAX - 1
    assert set(outcomes) == {"added", "CONFLICT"}
    assert await world.owner.fetchval("SELECT count(*) FROM rivals") == RIVALS_MAX
