"""The set of ended sessions in Redis says that it is whole only when it is."""

import asyncio
import random
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from api.accounts.revocations import Revocations
from config.db.database import Database
from config.db.postgres import connect, make_pool
from config.ids import uuid7
from config.redis import connect as connect_redis
from config.settings import Settings
from rt.wire.bus import REVOKED_KEY, REVOKED_THROUGH
from tests.integration.api.conftest import Running

WIPES = 150
OF_ITS_OWN = "/5"  # a logical database: this test wipes it


async def test_a_redis_that_is_wiped_meanwhile_never_claims_to_know_all(api: Running) -> None:
    """Seen failing with a comparison that expected no `through` of an empty Redis, and found none again."""
    user = uuid.UUID((await asyncio.to_thread(api.account)).id)
    settings = Settings(database_url=api.database.url)
    address = api.env["REDIS_URL"].removesuffix("/0")
    redis = connect_redis(address + OF_ITS_OWN)
    pool = make_pool(settings)
    await connect(pool)
    try:
        now = datetime.now(UTC)
        ended = [uuid7() for _ in range(3)]
        for session in ended:
            await asyncio.to_thread(
                api.sql,
                "INSERT INTO sessions (id, user_id, created_at, expires_at, revoked_at, revoked_reason)"
                " VALUES ($1, $2, $3, $4, $3, 'logout')",
                *(session, user, now, now + timedelta(days=7)),
            )
        revocations = Revocations(Database(pool), redis)
        for _ in range(WIPES):
            await redis.flushdb()
            bringing = asyncio.ensure_future(revocations.bring())
            await asyncio.sleep(random.uniform(0, 0.004))
            await redis.flushdb()
            await bringing
            members: Any = await redis.zrange(REVOKED_KEY, 0, -1)
            known = {member.decode() for member in members}
            if REVOKED_THROUGH in known:
                assert {f"sid:{session}" for session in ended} <= known
        await revocations.bring()
        assert await redis.zscore(REVOKED_KEY, REVOKED_THROUGH) is not None
    finally:
        with suppress(Exception):
            await redis.flushdb()
        await redis.aclose()
        await pool.close()
