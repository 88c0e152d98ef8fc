"""The embedded stores, as `make stores`, `make run` and every test with a store use them."""

import asyncpg
import pytest

from config.redis import connect
from tests.support.stores import Database, TestStores


async def test_the_application_role_owns_nothing_and_cannot_make_tables(database: Database) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        owned = await connection.fetchval(
            "SELECT count(*) FROM pg_class JOIN pg_roles ON relowner = pg_roles.oid WHERE rolname = current_user"
        )
        assert owned == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE mine (id int)")
    finally:
        await connection.close()


async def test_nobody_gets_in_without_the_password(stores: TestStores, database: Database) -> None:
    without = database.url.replace(database.url.split("@")[0], "postgresql://musclemap_app")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(without, password="wrong")


async def test_redis_url_is_empty_for_each_test(redis_url: str) -> None:
    redis = connect(redis_url)
    try:
        assert await redis.dbsize() == 0
        await redis.set("left", "behind")
    finally:
        await redis.aclose()


async def test_redis_url_is_empty_for_each_test_again(redis_url: str) -> None:
    await test_redis_url_is_empty_for_each_test(redis_url)
