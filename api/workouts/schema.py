"""Workouts in GraphQL."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from api.graphql.context import Info, context_of, service_of, viewer_id
from api.graphql.schema import feature
from api.pages import Page
from api.workouts.rules import Workout
from api.workouts.service import LoggedWorkout, SyncedWorkout, Workouts
from config.errors import NotFound


async def _log_workout(_: Any, info: Info, **arguments: Any) -> LoggedWorkout:
    workouts, viewer = service_of(info, Workouts), viewer_id(info)
    return await workouts.log(viewer, arguments["input"], arguments["idempotencyKey"], context_of(info).now)


async def _sync_workouts(_: Any, info: Info, inputs: list[Mapping[str, Any]]) -> list[SyncedWorkout]:
    return await service_of(info, Workouts).sync(viewer_id(info), inputs, context_of(info).now)


async def _workout(_: Any, info: Info, **arguments: Any) -> Workout:
    viewer = viewer_id(info)
    try:
        wanted = UUID(arguments["id"])
    except ValueError:
        raise NotFound from None
    return await service_of(info, Workouts).workout(viewer, wanted)


async def _my_workouts(_: Any, info: Info, first: int | None = None, after: str | None = None) -> Page[Workout]:
    return await service_of(info, Workouts).mine(viewer_id(info), first, after)


FEATURE = feature(
    __file__,
    {
        "Query": {"workout": _workout, "myWorkouts": _my_workouts},
        "Mutation": {"logWorkout": _log_workout, "syncWorkouts": _sync_workouts},
    },
)
