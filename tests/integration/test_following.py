"""People over a real database: who sees whom, what is counted, what is told, what is found."""

import asyncio
import random
from datetime import timedelta
from itertools import product
from typing import Any, get_args
from uuid import UUID

import asyncpg
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.community.rules import Profile, Relation, seen
from api.pages import Page
from config.errors import ApiError, Conflict, NotFound, Unauthenticated
from config.ids import uuid7
from config.limits import FOLLOW_REQUESTS_MAX, FOLLOWING_MAX
from rt.wire.audience import AUDIENCES, Audience
from tests.integration.test_personal_data import erased_by
from tests.support.ledger import NOW, connection
from tests.support.people_graph import Graph, People, people
from tests.support.stores import Database
from tests.support.traces import in_tables

RELATIONS: tuple[Relation, ...] = get_args(Relation)
COUNTS = (
    "SELECT u.id, coalesce(c.followers, 0), coalesce(c.following, 0), coalesce(c.requested, 0), coalesce(c.blocked, 0)"
    " FROM users AS u LEFT JOIN follow_counts AS c ON c.user_id = u.id"
)
RECOUNT = (
    "SELECT u.id, (SELECT count(*) FROM follows WHERE followee_id = u.id AND state = 'following'),"
    " (SELECT count(*) FROM follows WHERE follower_id = u.id AND state = 'following'),"
    " (SELECT count(*) FROM follows WHERE follower_id = u.id AND state = 'requested'),"
    " (SELECT count(*) FROM blocks WHERE blocker_id = u.id) FROM users AS u"
)


async def refused(doing: Any) -> type[ApiError] | None:
    """The error of a use case, or None."""
    try:
        await doing
    except ApiError as error:
        return type(error)
    return None


async def relate(community: Any, viewer: UUID, owner: UUID, relation: Relation, audience: Audience) -> None:
    """Brings it about, then lets the owner choose."""
    if relation in ("following", "requested"):
        await community.set_audience(owner, "everyone" if relation == "following" else "followers", NOW)
        await community.follow(viewer, owner, NOW)
    elif relation == "blocked":
        await community.block(owner, viewer, NOW)
    await community.set_audience(owner, audience, NOW)


def names(page: Page[Profile]) -> list[str]:
    return [edge.node.name for edge in page.edges]


async def same_counts(owner: asyncpg.Connection) -> None:
    assert sorted(map(tuple, await owner.fetch(COUNTS))) == sorted(map(tuple, await owner.fetch(RECOUNT)))


async def test_the_rule_of_the_database_is_the_rule(database: Database) -> None:
    """Seen failing with a feed for strangers in the SQL alone."""
    async with connection(database.url) as app:
        for relation, audience in product(RELATIONS, AUDIENCES):
            assert tuple(await app.fetchrow("SELECT * FROM seen($1, $2)", relation, audience)) == seen(
                relation, audience
            ), (relation, audience)


async def test_each_query_shows_each_relation_what_it_may_see(database: Database) -> None:
    """Each relation under each audience, on each query. Seen failing with followers_of whoever has blocked the viewer,
    with a search that looked at the audience alone, and with tokens for all who are followed."""
    async with people(database) as here:
        community = here.community
        for relation, audience in product(RELATIONS, AUDIENCES):
            word = f"{relation}{audience}"
            owner, fan, viewer = await here.add(f"Zoe {word}"), await here.add("Fan"), await here.add("Eve")
            await community.follow(fan, owner, NOW)
            if relation == "self":
                viewer = owner
            await relate(community, viewer, owner, relation, audience)
            may = seen(relation, audience)
            who = None if relation == "anonymous" else viewer
            what = (relation, audience)

            assert (await refused(community.profile(who, owner, NOW)) is None) == may.header, what
            assert bool((await community.search(who, word[:-1].upper(), NOW)).edges) == may.listed, what
            if who is None:
                continue
            for listed in ("followers", "following"):
                assert (await refused(community.people(who, owner, listed, NOW)) is None) == may.details, what
            assert (await refused(here.feeds.profile(who, owner)) is None) == may.feed, what
            assert bool(await open_channels(database, who, [owner])) == may.feed, what
            # In a list of somebody else's, too.
            assert (f"Zoe {word}" in names(await community.people(who, fan, "following", NOW))) == may.header, what
            if relation == "blocked":
                assert await refused(community.profile(owner, viewer, NOW)) is NotFound, what


async def open_channels(database: Database, viewer: UUID, owners: list[UUID]) -> list[UUID]:
    async with connection(database.url) as app:
        await app.execute("SELECT set_config('musclemap.user_id', $1, false)", str(viewer))
        return [row["owner_id"] for row in await app.fetch("SELECT * FROM channels_open_to($1, $2)", viewer, owners)]


async def test_following_goes_by_the_audience(database: Database) -> None:
    async with people(database) as here, connection(database.owner_url) as owner:
        community = here.community
        ann = await here.add("Ann")
        bob, cat, dan = [await here.add(one.title(), one) for one in AUDIENCES]

        assert (await community.follow(ann, bob, NOW)).follow_state == "FOLLOWING"
        assert (await community.follow(ann, cat, NOW)).follow_state == "REQUESTED"
        for nobody in (dan, uuid7()):
            assert await refused(community.follow(ann, nobody, NOW)) is NotFound
        assert await refused(community.follow(ann, ann, NOW)) is Conflict
        assert await refused(community.follow(uuid7(), ann, NOW)) is Unauthenticated

        assert names(await community.people(cat, cat, "requests", NOW)) == ["Ann"]
        assert (await community.profile(ann, cat, NOW)).followers == 0
        assert await refused(community.answer(bob, cat, NOW, accept=True)) is NotFound  # who asked nothing
        for _ in range(2):  # again: nothing more happens
            found = await community.answer(cat, ann, NOW, accept=True)
            assert found.follows_me
        assert not (await community.people(cat, cat, "requests", NOW)).edges
        assert names(await community.people(ann, ann, "following", NOW)) == ["Followers", "Everyone"]
        assert (await community.profile(ann, cat, NOW)).followers == 1
        assert (await community.answer(cat, ann, NOW, accept=False)).follows_me  # it is no request any more

        for _ in range(2):
            assert (await community.unfollow(ann, cat, NOW)).follow_state == "NONE"
        await community.follow(ann, cat, NOW)
        assert not (await community.answer(cat, ann, NOW, accept=False)).follows_me
        assert (await community.profile(ann, cat, NOW)).follow_state == "NONE"
        await community.follow(ann, cat, NOW)
        await here.audience(cat, "everyone")
        assert (await community.follow(ann, cat, NOW)).follow_state == "FOLLOWING"  # who had asked
        await same_counts(owner)


async def test_a_block_hides_each_from_the_other_and_gives_nothing_back(database: Database) -> None:
    """Seen failing with a block that took only the blocked one's follow."""
    async with people(database) as here, connection(database.owner_url) as owner:
        community = here.community
        ann, bob, dan = await here.add("Ann"), await here.add("Bob"), await here.add("Dan", "nobody")
        await community.follow(ann, bob, NOW)
        await community.follow(bob, ann, NOW)
        assert await community.block(ann, bob, NOW)
        assert await owner.fetchval("SELECT count(*) FROM follows") == 0
        assert await community.block(ann, bob, NOW)
        for viewer, other in ((ann, bob), (bob, ann)):
            assert await refused(community.profile(viewer, other, NOW)) is NotFound
            assert await refused(community.follow(viewer, other, NOW)) is NotFound
            assert await refused(community.unfollow(viewer, other, NOW)) is NotFound
        assert await refused(community.unblock(bob, ann, NOW)) is NotFound  # it is not theirs to take back
        assert await community.unblock(ann, bob, NOW)
        assert (await community.profile(bob, ann, NOW)).follow_state == "NONE"
        assert (await community.profile(ann, bob, NOW)).followers == 0
        for nobody in (dan, uuid7()):
            assert await refused(community.block(ann, nobody, NOW)) is NotFound
            assert await refused(community.unblock(ann, nobody, NOW)) is NotFound
        await community.follow(dan, ann, NOW)  # hidden, and still one of Ann's
        assert names(await community.people(ann, ann, "followers", NOW)) == []
        assert await community.block(ann, dan, NOW)
        assert await refused(community.block(ann, ann, NOW)) is Conflict
        await same_counts(owner)


async def test_the_owner_alone_is_told_once_a_day_and_of_nobody_who_is_hidden(database: Database) -> None:
    """Seen failing without the table of notices: 20 events of one who came and went."""
    async with people(database) as here, connection(database.owner_url) as owner:
        community = here.community
        ann, bob, cat = await here.add("Ann"), await here.add("Bob"), await here.add("Cat", "followers")
        dan = await here.add("Dan", "nobody")

        async def told() -> list[tuple[str, str, str]]:
            rows = await owner.fetch(
                "SELECT event ->> 'type' AS type, event #>> '{user,name}' AS whose, event -> 'data' AS data,"
                " event -> 'visibility' AS visibility FROM outbox ORDER BY id"
            )
            assert all(row["visibility"] == '["PRIVATE"]' for row in rows)
            return [(row["type"], row["whose"], row["data"]) for row in rows]

        for _ in range(20):
            await community.follow(ann, bob, NOW)
            await community.unfollow(ann, bob, NOW + timedelta(hours=23))
            await community.follow(ann, cat, NOW)
            await community.unfollow(ann, cat, NOW)
        await community.follow(dan, bob, NOW)
        said = f'{{"v" : 1, "user" : {{"id" : "{ann}", "name" : "Ann"}}}}'
        assert await told() == [("followed", "Bob", said), ("follow_requested", "Cat", said)]
        await community.follow(ann, bob, NOW + timedelta(days=1))
        assert (await told())[2:] == [("followed", "Bob", said)]
        assert await owner.fetchval("SELECT count(*) FROM activity_events WHERE type LIKE 'follow%'") == 3


async def test_bounds(database: Database) -> None:
    """Seen failing with a bound that looked at requests alone."""
    async with people(database) as here, connection(database.owner_url) as owner:
        ann, bob, cat = await here.add("Ann"), await here.add("Bob"), await here.add("Cat", "followers")
        await owner.execute("INSERT INTO follow_counts (user_id, requested) VALUES ($1, $2)", ann, FOLLOW_REQUESTS_MAX)
        assert await refused(here.community.follow(ann, cat, NOW)) is Conflict
        assert (await here.community.follow(ann, bob, NOW)).follow_state == "FOLLOWING"
        await here.community.unfollow(ann, bob, NOW)
        await owner.execute(
            "UPDATE follow_counts SET following = $2 - requested WHERE user_id = $1", ann, FOLLOWING_MAX
        )
        assert await refused(here.community.follow(ann, bob, NOW)) is Conflict


# Of three people, mostly follows: in a list of these most changes meet something.
PAIRS = st.permutations(range(3)).map(lambda order: order[:2])
MOSTLY = ("follow", "follow", "follow", "accept", "accept", "unblock", "unblock", "followers", "followers")
WORDS = st.sampled_from((*MOSTLY, "unfollow", "decline", "block", "everyone", "nobody"))
CHANGES = st.lists(st.tuples(WORDS, PAIRS), min_size=25, max_size=60)
ANSWERS = [  # a request that is accepted, and one that is overtaken: rare by chance
    *(("followers", [1, 0]), ("follow", [0, 1]), ("accept", [1, 0])),
    *(("followers", [2, 0]), ("follow", [0, 2]), ("everyone", [2, 0]), ("follow", [0, 2])),
]


async def test_counts_and_relations_equal_a_plain_model(database: Database) -> None:
    """Any changes in any order. Seen failing with a block that left the counts, with an answer that counted twice, and
    with a request that was followed and stayed counted."""
    async with people(database) as here, connection(database.owner_url) as owner:

        async def play(changes: list[tuple[str, list[int]]]) -> None:
            graph = Graph(dict.fromkeys(range(3), "everyone"))
            users = [await here.add(f"P{number}") for number in range(3)]
            for what, (one, other) in changes:
                await refused(_change(here, users, what, one, other))
                _model(graph, what, one, other)
            for one, other in product(range(3), range(3)):
                relation = await owner.fetchval("SELECT relation($1, $2)", users[one], users[other])
                assert relation == graph.relation(one, other), (one, other)
            await same_counts(owner)

        loop = asyncio.get_running_loop()

        @settings(max_examples=20, deadline=None)
        @given(CHANGES)
        @example(ANSWERS)
        def run(changes: list[tuple[str, list[int]]]) -> None:
            asyncio.run_coroutine_threadsafe(play(changes), loop).result()

        await asyncio.to_thread(run)


async def _change(here: People, users: list[UUID], what: str, one: int, other: int) -> None:
    community, viewer, user = here.community, users[one], users[other]
    match what:
        case "accept" | "decline":
            await community.answer(viewer, user, NOW, accept=what == "accept")
        case "follow" | "unfollow" | "block" | "unblock":
            await getattr(community, what)(viewer, user, NOW)
        case _:
            await community.set_audience(viewer, what, NOW)


def _model(graph: Graph, what: str, one: int, other: int) -> None:
    match what:
        case "accept" | "decline":
            graph.answer(one, other, accept=what == "accept")
        case "follow" | "unfollow" | "block" | "unblock":
            getattr(graph, what)(one, other)
        case _:
            graph.audience[one] = next(audience for audience in AUDIENCES if audience == what)


async def test_changes_that_cross_leave_the_counts_right_and_no_block_with_a_follow(database: Database) -> None:
    """Eight at once, all of the same few people, over and over; each sees the others' rows."""
    async with people(database) as here, connection(database.owner_url) as owner:
        users = [await here.add(f"P{number}") for number in range(4)]
        chance = random.Random(7)
        words = ["follow"] * 4 + ["unfollow", "block", "unblock", "accept", "followers", "everyone"]

        async def busy() -> None:
            for _ in range(25):
                one, other = chance.sample(range(4), 2)
                await refused(_change(here, users, chance.choice(words), one, other))

        await asyncio.gather(*(busy() for _ in range(8)))
        await same_counts(owner)
        crossing = await owner.fetchval(
            "SELECT count(*) FROM follows AS f JOIN blocks AS b ON (b.blocker_id, b.blocked_id) IN"
            " ((f.follower_id, f.followee_id), (f.followee_id, f.follower_id))"
        )
        assert crossing == 0


async def test_a_crowd_may_follow_one_at_once(database: Database) -> None:
    """Each is told so at once, and counted."""
    async with people(database) as here:
        star, fans = await here.add("Star"), [await here.add(f"Fan {number}") for number in range(60)]
        done = await asyncio.gather(*(here.community.follow(fan, star, NOW) for fan in fans))
        assert {one.follow_state for one in done} == {"FOLLOWING"}
        assert (await here.community.profile(None, star, NOW)).followers == 60


async def test_whoever_is_deleted_leaves_nothing_between_people(database: Database) -> None:
    """Of each kind and either way, and what others have counted is right. Seen failing with counts of the others that
    were left."""
    async with people(database) as here, connection(database.owner_url) as owner:
        ann = await here.add("Ann")
        both, asked, blocked, blocker = [await here.add(f"P{number}") for number in range(4)]
        await here.community.follow(ann, both, NOW)
        await here.community.follow(both, ann, NOW)
        for one, other in ((ann, asked), (asked, ann)):
            await here.audience(other, "followers")
            await here.community.follow(one, other, NOW)
        await here.community.block(ann, blocked, NOW)
        await here.community.block(blocker, ann, NOW)
        assert await erased_by(here.books.of(ann), ann, "") is not None
        await same_counts(owner)
        assert await in_tables(owner, str(ann)) == {"erasures", "ended_reads", "outbox"}  # the relay has not run
