"""What operators ask of the worker: alive, ready with reasons, metrics."""

import asyncio

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.answers import json_response
from config import metrics, postgres, redis
from config.process import Lifetime
from config.redis import RedisClient


def application(pool: asyncpg.Pool, client: RedisClient, lifetime: Lifetime) -> Starlette:
    """/health, /ready and /metrics. A worker that waits for the lease is ready; one without a store is not."""

    async def health(_: Request) -> Response:
        return json_response({"status": "alive"})

    async def ready(_: Request) -> Response:
        reasons = {"process": "stopping"} if lifetime.stopping.is_set() else {}
        in_postgres, redis_fault = await asyncio.gather(postgres.alive(pool), redis.fault(client))
        if not in_postgres:
            reasons["postgres"] = "does not answer"
        if redis_fault:
            reasons["redis"] = redis_fault
        return json_response({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def exposition(_: Request) -> Response:
        body, content_type = metrics.exposition()
        return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})

    return Starlette(routes=[Route("/health", health), Route("/ready", ready), Route("/metrics", exposition)])
