"""Reference data in real stores: migrated, read back, corrected, published."""

import asyncio
from dataclasses import replace

import asyncpg

from api.reference.data import load
from api.reference.rules import Activation, ReferenceData
from api.reference.service import Reference, publish_slugs
from api.reference.store import upsert
from config import redis
from config.db import postgres
from config.settings import Settings
from rt.wire.bus import EXERCISES_KEY
from tests.support.stores import Database

DATA = load()


async def read_back(database: Database) -> Reference:
    settings = Settings.model_validate({"database_url": database.url, "database_pool_min": 1})
    reference = Reference()
    async with postgres.make_pool(settings) as pool:
        await reference.load(pool)
    return reference


async def write(database: Database, data: ReferenceData) -> None:
    connection = await asyncpg.connect(database.owner_url)
    try:
        async with connection.transaction():
            await upsert(connection, data)
    finally:
        await connection.close()


async def test_what_was_migrated_is_what_the_application_reads(database: Database) -> None:
    reference = await read_back(database)
    assert reference.data == DATA
    press = reference.exercise_by_slug("barbell-bench-press")
    assert press is not None
    assert reference.exercise(press.id) is press
    chest = press.muscles[0].muscle
    assert reference.muscle(chest.id) == chest
    assert press in reference.exercises(search="bench", muscle=chest.id)
    assert reference.exercises(muscle=press.id) == ()


async def test_a_new_release_corrects_rows_and_leaves_the_rest_alone(database: Database) -> None:
    """Planted once and seen to fail: without the deletion, a muscle that was taken away stayed."""
    first, *rest = DATA.exercises
    changed = replace(first, name="Renamed", muscles=(Activation(first.muscles[0].muscle, 77.0),))
    before = await versions(database)
    await write(database, replace(DATA, exercises=(changed, *rest)))
    reference = await read_back(database)
    assert reference.exercise(first.id) == changed
    assert len(reference.exercises()) == len(DATA.exercises)
    after = await versions(database)
    touched = [slug for slug, version in after.items() if before[slug] != version]
    assert touched == [first.slug]


async def versions(database: Database) -> dict[str, str]:
    connection = await asyncpg.connect(database.owner_url)
    try:
        return {
            row["slug"]: row["version"]
            for row in await connection.fetch("SELECT slug, xmin::text AS version FROM exercises")
        }
    finally:
        await connection.close()


async def test_no_reader_sees_the_vocabulary_absent_while_it_is_replaced(redis_url: str) -> None:
    """Planted once and seen to fail: DEL and SADD outside of one transaction."""
    client = redis.connect(redis_url)
    try:
        await publish_slugs(client, ["gone", *DATA.slugs])
        writing = asyncio.ensure_future(_publish_often(client))
        sizes = set()
        while not writing.done():
            sizes.add(await client.scard(EXERCISES_KEY))
        await writing
        assert sizes <= {len(DATA.slugs), len(DATA.slugs) + 1}
        assert await client.smembers(EXERCISES_KEY) == {slug.encode() for slug in DATA.slugs}
        await publish_slugs(client, [])
        assert await client.scard(EXERCISES_KEY) == len(DATA.slugs)
    finally:
        await client.aclose()


async def _publish_often(client: redis.RedisClient) -> None:
    for _ in range(200):
        await publish_slugs(client, DATA.slugs)
