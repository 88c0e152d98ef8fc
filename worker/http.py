"""What operators ask of the worker: alive, ready with reasons, metrics."""

import asyncio
from typing import Any

import asyncpg
from starlette.routing import Router
from starlette.types import ASGIApp

from config import redis
from config.db import postgres
from config.process import Lifetime
from config.ready import answer
from config.redis import RedisClient
from config.serving import operations
from config.serving.http import Shell
from config.settings import Settings


def application(settings: Settings, pool: asyncpg.Pool, client: RedisClient, lifetime: Lifetime) -> ASGIApp:
    """/health, /ready and /metrics, in the shell that all answers of the API have. A worker that waits for the lease is
    ready; one without a store is not."""

    async def look() -> tuple[int, dict[str, Any]]:
        reasons = {"process": "stopping"} if lifetime.stopping.is_set() else {}
        faults = await asyncio.gather(postgres.fault(pool), redis.fault(client))
        reasons |= {name: fault for name, fault in zip(("postgres", "redis"), faults, strict=True) if fault}
        return answer("worker", reasons)

    return Shell(Router(operations.routes(look), redirect_slashes=False), settings)
