"""Lists of people, and the search for them: whole, in order, and of those alone whom the viewer may see."""

from itertools import pairwise
from uuid import UUID

import pytest

from api.community.rules import Profile
from config.errors import BadInput
from tests.integration.test_following import names
from tests.support.ledger import NOW, connection
from tests.support.people_graph import people
from tests.support.stores import Database


async def test_lists_of_thousands_are_paged_without_a_hole_or_a_repeat(database: Database) -> None:
    """Half of the rows at one time, some of people whom the viewer may not see. Seen failing with a key of the time
    alone."""
    async with people(database) as here, connection(database.owner_url) as owner:
        star, viewer = await here.add("Star"), await here.add("Viewer")
        await owner.execute(FANS, star, NOW)
        await owner.execute(
            "INSERT INTO blocks (blocker_id, blocked_id, since)"
            " SELECT id, $1, $2 FROM users WHERE name LIKE 'Fan %' ORDER BY id LIMIT 40",
            viewer, NOW,
        )  # fmt: skip
        visible = {
            row["id"]
            for row in await owner.fetch(
                "SELECT id FROM users WHERE name LIKE 'Fan %' AND audience <> 'nobody'"
                " AND id NOT IN (SELECT blocker_id FROM blocks)"
            )
        }
        read: list[Profile] = []
        after: str | None = None
        pages = 0
        while True:
            page = await here.community.people(viewer, star, "followers", NOW, 100, after)
            read += [edge.node for edge in page.edges]
            pages += 1
            if not page.page_info.has_next_page:
                break
            assert len(page.edges) == 100
            after = page.page_info.end_cursor
        assert {one.id for one in read} == visible
        assert len(read) == len(visible)
        assert pages == -(-len(visible) // 100)


# 2,500 followers, every seventh of whom is hidden, 300 of those in a row.
FANS = """
WITH made AS (
  SELECT n, gen_random_uuid() AS id, gen_random_uuid() AS account FROM generate_series(1, 2500) AS n
), accounts_made AS (
  INSERT INTO accounts (id, kind, created_at) SELECT account, 'user', $2::timestamptz FROM made
), users_made AS (
  INSERT INTO users (id, account_id, email, name, password_hash, audience, created_at, updated_at)
  SELECT id, account, id || '@example.org', 'Fan ' || n, '',
         CASE WHEN n % 7 = 0 OR n BETWEEN 500 AND 800 THEN 'nobody' ELSE 'everyone' END, $2, $2 FROM made
)
INSERT INTO follows (follower_id, followee_id, state, since)
SELECT id, $1::uuid, 'following', $2 - CASE WHEN n % 2 = 0 THEN interval '0' ELSE n * interval '1 second' END FROM made
"""


async def test_search_finds_words_by_their_beginning(database: Database) -> None:
    """Seen failing with names compared as they are typed, and with a name of two such words found twice."""
    async with people(database) as here:
        ann = await here.add("Ann Lee-Smith")
        for name in ("anna ANNSEN", "Joann", "Zoë Über", "100% Bob_x", "back\\slash", "O'Neil"):
            await here.add(name)
        await here.add("Ann Hidden", "followers")
        await here.add("Ann Gone", "nobody")

        async def found(text: str, viewer: UUID | None = None) -> list[str]:
            return names(await here.community.search(viewer, text, NOW))

        assert await found("ann") == ["Ann Lee-Smith", "anna ANNSEN"]
        assert await found("ANN L") == ["Ann Lee-Smith"]
        assert await found("smith") == await found("lee smi") == await found("  Lee-Sm") == ["Ann Lee-Smith"]
        assert await found("über") == await found("zoë ü") == ["Zoë Über"]
        assert await found("annsen") == ["anna ANNSEN"]
        assert await found("100%") == await found("bob_") == ["100% Bob_x"]
        assert await found("o'n") == ["O'Neil"]
        assert await found("back\\s") == ["back\\slash"]
        for nothing in ("%", "_", "a%n", "nn", "x' OR ''='", "\\", ".*", "hidden", "gone"):
            assert await found(nothing) == [], nothing
        bob = await here.add("Blocker")
        await here.community.block(bob, ann, NOW)
        assert await found("ann", bob) == ["anna ANNSEN"]
        assert await found("block", ann) == []
        await here.audience(ann, "followers")
        assert await found("ann") == ["anna ANNSEN"]
        assert await found("ann", ann) == ["anna ANNSEN"]
        for wrong in ("", "  ", "x" * 81):
            with pytest.raises(BadInput):
                await found(wrong)


async def test_a_search_is_paged(database: Database) -> None:
    async with people(database) as here, connection(database.owner_url) as owner:
        star = await here.add("Star")
        await owner.execute(FANS, star, NOW)
        read: list[Profile] = []
        after: str | None = None
        for _ in range(5):
            page = await here.community.search(None, "fan 1", NOW, 50, after)
            read += [edge.node for edge in page.edges]
            after = page.page_info.end_cursor
        tails = [one.name.lower() for one in read]
        assert len(set(tails)) == 250
        assert all(one < two for one, two in pairwise(tails))
        assert all(one.startswith("fan 1") for one in tails)
