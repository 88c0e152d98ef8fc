"""Presence in GraphQL: what the keeper has published, and nothing that it would not show."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from api.graphql.context import Info, context_of, reference_of
from api.graphql.schema import feature
from api.reference.service import Reference
from config.errors import BadInput, RetryLater
from config.limits import NOW_KEPT_S
from config.redis import AWAY
from rt.map import geometry
from rt.map.read import cells, totals
from rt.presence.now import MINUTE_S, Bucket, buckets

NOW_MINUTES_MAX: Final = NOW_KEPT_S // MINUTE_S


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


class _NowExercise(msgspec.Struct, frozen=True):
    slug: str
    name: str
    count: int


class _NowBucket(msgspec.Struct, frozen=True):
    minute: datetime
    training: int
    exercises: list[_NowExercise]


async def _stats(_: Any, info: Info) -> _Stats:
    try:
        counted = await totals(context_of(info).services.redis)
    except AWAY:
        raise RetryLater("Presence is not known at the moment") from None
    return _Stats(counted.users, counted.training)


async def _map(_: Any, info: Info, west: float, south: float, east: float, north: float, zoom: int) -> _Map:
    try:
        bounds = geometry.bounds(west, south, east, north)
        geometry.resolution_of(zoom)
    except ValueError as error:
        raise BadInput(str(error)) from None
    redis = context_of(info).services.redis
    try:
        shown = await cells(redis, bounds, zoom)
        counted = await totals(redis)
    except AWAY:
        raise RetryLater("Presence is not known at the moment") from None
    return _Map(shown.resolution, counted.users, [_Cell(cell, count) for cell, count in shown.cells])


async def _now(_: Any, info: Info, minutes: int | None) -> list[_NowBucket]:
    minutes = NOW_MINUTES_MAX if minutes is None else minutes
    if not 1 <= minutes <= NOW_MINUTES_MAX:
        raise BadInput(f"minutes must be within 1..{NOW_MINUTES_MAX}")
    context = context_of(info)
    reference = reference_of(info)
    try:
        found = await buckets(context.services.redis, minutes)
    except AWAY:
        raise RetryLater("Presence is not known at the moment") from None
    return [_now_bucket(bucket, reference) for bucket in found]


def _now_bucket(bucket: Bucket, reference: Reference) -> _NowBucket:
    known = [(reference.exercise_by_slug(slug), count) for slug, count in bucket.exercises.items()]
    exercises = [_NowExercise(one.slug, one.name, count) for one, count in known if one is not None]
    exercises.sort(key=lambda one: (-one.count, one.slug))
    return _NowBucket(datetime.fromtimestamp(bucket.minute_s, UTC), bucket.training, exercises)


FEATURE = feature(__file__, {"Query": {"presenceStats": _stats, "presenceMap": _map, "nowTraining": _now}})
