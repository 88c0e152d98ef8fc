"""Presence in GraphQL."""

from typing import Any

from api.graphql.context import Info, service_of
from api.graphql.schema import feature
from api.presence.rules import Map, NowBucket, Stats
from api.presence.service import Presence


async def _stats(_: Any, info: Info) -> Stats:
    return await service_of(info, Presence).stats()


async def _map(_: Any, info: Info, west: float, south: float, east: float, north: float, zoom: int) -> Map:
    return await service_of(info, Presence).map(west, south, east, north, zoom)


async def _now(_: Any, info: Info, minutes: int | None) -> list[NowBucket]:
    return await service_of(info, Presence).now_training(minutes)


FEATURE = feature(__file__, {"Query": {"presenceStats": _stats, "presenceMap": _map, "nowTraining": _now}})
