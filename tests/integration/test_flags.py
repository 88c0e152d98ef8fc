"""What a process knows of flags: heard at once, kept while stores are away, told to gateways only where it is known."""

import asyncio
from collections.abc import AsyncIterator

import pytest

import api.flags.service
from api.admin import done, parser
from api.flags.rules import DEFAULTS
from api.flags.service import Flags
from config.redis import RedisClient
from config.redis import connect as connect_redis
from config.settings import Settings
from rt.wire.bus import FLAGS_KEY
from rt.wire.flags import decode_flags
from tests.support.ledger import Ledger, ledger
from tests.support.relay import eventually
from tests.support.stores import Database

LONG_S = 60.0


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Ledger]:
    async with ledger(database) as made:
        yield made


async def change(database: Database, redis_url: str, *words: str) -> None:
    settings = Settings(database_owner_url=database.owner_url, redis_url=redis_url)
    await done(settings, parser().parse_args(["flags", "set", "challenges", *words]))


async def test_a_change_is_heard_and_not_waited_for(
    books: Ledger, database: Database, redis: RedisClient, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks once a minute here. Seen failing without `listen`."""
    monkeypatch.setattr(api.flags.service, "FLAGS_EVERY_S", LONG_S)
    flags = Flags(books.db, redis)
    tasks = [asyncio.ensure_future(one) for one in (flags.listen(), flags.run())]
    try:

        async def listeners() -> int:
            return int((await redis.pubsub_numsub("rt:control"))[0][1])

        async def told() -> dict[str, bool]:
            return decode_flags(await redis.get(FLAGS_KEY) or b"") or {}

        await eventually(listeners, lambda count: count > 0)
        assert await eventually(told, bool) == DEFAULTS
        await change(database, redis_url, "--off")
        assert (await eventually(told, lambda found: not found["challenges"])) == {**DEFAULTS, "challenges": False}
        assert not flags.enabled("challenges", None)
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_was_known_last_holds(
    books: Ledger, database: Database, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is known the defaults hold, and gateways are told nothing. Seen failing with defaults that are
    published, and with a `run` that a store ends."""
    monkeypatch.setattr(api.flags.service, "FLAGS_EVERY_S", 0.05)
    flags = Flags(books.db, redis)
    await flags.publish()
    assert await redis.get(FLAGS_KEY) is None
    assert {flag.key: flag.enabled for flag in flags.all(None)} == DEFAULTS
    with pytest.raises(KeyError):
        flags.enabled("no-flag", None)
    await change(database, "", "--off")
    await flags.load()
    books.db.pool.terminate()
    nowhere = Flags(books.db, connect_redis("redis://127.0.0.1:1"))
    tasks = [asyncio.ensure_future(one) for one in (flags.run(), nowhere.run(), nowhere.listen())]
    try:

        async def told() -> dict[str, bool]:
            return decode_flags(await redis.get(FLAGS_KEY) or b"") or {}

        assert await eventually(told, bool) == {**DEFAULTS, "challenges": False}
        assert not flags.enabled("challenges", None)
        assert nowhere.enabled("challenges", None)
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
