"""What operators ask of the worker: alive, ready with reasons, metrics."""

import asyncio

import asyncpg
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from config import metrics, redis
from config.db import postgres
from config.process import Lifetime
from config.ready import answer
from config.redis import RedisClient
from config.serving.answers import json_response
from config.serving.http import Answering, Guarding, on_http_exception
from config.settings import Settings


def application(settings: Settings, pool: asyncpg.Pool, client: RedisClient, lifetime: Lifetime) -> ASGIApp:
    """/health, /ready and /metrics, in the shell that all answers of the API have. A worker that waits for the lease is
    ready; one without a store is not."""

    async def health(_: Request) -> Response:
        return json_response({"status": "alive"})

    async def ready(_: Request) -> Response:
        reasons = {"process": "stopping"} if lifetime.stopping.is_set() else {}
        faults = await asyncio.gather(postgres.fault(pool), redis.fault(client))
        reasons |= {name: fault for name, fault in zip(("postgres", "redis"), faults, strict=True) if fault}
        status, shown = answer("worker", reasons)
        return json_response(shown, status)

    async def exposition(_: Request) -> Response:
        body, content_type = metrics.exposition()
        return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})

    routes = [Route("/health", health), Route("/ready", ready), Route("/metrics", exposition)]
    inner = Starlette(routes=routes, exception_handlers={HTTPException: on_http_exception})
    inner.router.redirect_slashes = False
    return Answering(Guarding(inner, settings), settings)
