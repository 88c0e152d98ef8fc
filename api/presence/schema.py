"""Presence in GraphQL: what the keeper has published, and nothing that it would not show."""

from typing import Any

import msgspec

from api.errors import BadInput, RetryLater
from api.graphql.context import Info, context_of
from api.graphql.schema import feature
from config.redis import RedisError
from rt.presence import rules
from rt.presence.read import cells, totals


class _Stats(msgspec.Struct, frozen=True):
    online: int
    training: int


class _Cell(msgspec.Struct, frozen=True):
    cell: str
    count: int


class _Map(msgspec.Struct, frozen=True):
    resolution: int
    online: int
    cells: list[_Cell]


async def _stats(_: Any, info: Info) -> _Stats:
    try:
        counted = await totals(context_of(info).services.redis)
    except (RedisError, OSError, TimeoutError):
        raise RetryLater("Presence is not known at the moment") from None
    return _Stats(counted.users, counted.training)


async def _map(_: Any, info: Info, west: float, south: float, east: float, north: float, zoom: int) -> _Map:
    try:
        bounds = rules.bounds(west, south, east, north)
        rules.resolution_of(zoom)
    except ValueError as error:
        raise BadInput(str(error)) from None
    redis = context_of(info).services.redis
    try:
        shown = await cells(redis, bounds, zoom)
        counted = await totals(redis)
    except (RedisError, OSError, TimeoutError):
        raise RetryLater("Presence is not known at the moment") from None
    return _Map(shown.resolution, counted.users, [_Cell(cell, count) for cell, count in shown.cells])


FEATURE = feature(__file__, {"Query": {"presenceStats": _stats, "presenceMap": _map}})
