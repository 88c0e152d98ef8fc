"""Where in everything that the product keeps a word is found: tables, keys and values of Redis, files of logs."""

from collections.abc import Iterable
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

_COLUMNS = (
    "SELECT c.relname AS name FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace"
    " AND c.relkind IN ('r', 'm') ORDER BY 1"
)


async def in_tables(owner: asyncpg.Connection, word: str) -> set[str]:
    """The tables, partitions and materialized views of which some row has the word, in any column."""
    found = set()
    for row in await owner.fetch(_COLUMNS):
        name = row["name"]
        asked = f'SELECT EXISTS (SELECT FROM public."{name}" AS t WHERE position($1 IN t::text) > 0)'  # noqa: S608
        if await owner.fetchval(asked, word):
            found.add(name)
    return found


async def in_redis(url: str, word: str) -> set[str]:
    """The keys that have the word in their name or in what they hold."""
    found, sought = set(), word.encode()
    async with Redis.from_url(url) as redis:
        async for key in redis.scan_iter(count=1_000):
            if sought in key or sought in await _held(redis, key):
                found.add(key.decode(errors="replace"))
    return found


async def _held(redis: "Redis", key: bytes) -> bytes:
    kind = await redis.type(key)
    match kind.decode() if isinstance(kind, bytes) else kind:
        case "string":
            held: object = await redis.get(key)
        case "hash":
            held = await redis.hgetall(key)
        case "list":
            held = await redis.lrange(key, 0, -1)
        case "set":
            held = await redis.smembers(key)
        case "zset":
            held = await redis.zrange(key, 0, -1)
        case "stream":
            held = await redis.xrange(key)
        case "none":  # it went meanwhile
            held = b""
        case other:
            raise AssertionError(f"a key of type {other} is not searched")
    return held if isinstance(held, bytes) else _flat(held)


def _flat(held: object) -> bytes:
    if isinstance(held, bytes):
        return held
    if isinstance(held, dict):
        return b"\n".join(_flat(part) for pair in held.items() for part in pair)
    if isinstance(held, list | tuple | set):
        return b"\n".join(_flat(part) for part in held)
    return str(held).encode()


def in_logs(files: Iterable[Path], word: str) -> set[str]:
    """The lines that have it."""
    return {line for file in files for line in file.read_text("utf-8", errors="replace").splitlines() if word in line}
