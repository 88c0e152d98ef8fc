"""Workouts in GraphQL."""

from typing import Any
from uuid import UUID

from api.graphql.context import Info, context_of, reference_of, viewer_id
from api.graphql.schema import feature
from api.pages import Page
from api.workouts import service
from api.workouts.rules import Workout
from api.workouts.service import LoggedWorkout
from config.errors import NotFound


async def _log_workout(_: Any, info: Info, **arguments: Any) -> LoggedWorkout:
    context = context_of(info)
    return await service.log_workout(
        context.services.db,
        reference_of(info),
        context.services.settings,
        context.services.wake,
        user_id=viewer_id(info),
        raw=arguments["input"],
        key=arguments["idempotencyKey"],
        now=context.now,
    )


async def _workout(_: Any, info: Info, **arguments: Any) -> Workout:
    viewer = viewer_id(info)
    try:
        wanted = UUID(arguments["id"])
    except ValueError:
        raise NotFound from None
    return await service.workout_of(context_of(info).services.db, reference_of(info), viewer, wanted)


async def _my_workouts(_: Any, info: Info, first: int | None = None, after: str | None = None) -> Page[Workout]:
    viewer = viewer_id(info)
    return await service.my_workouts(context_of(info).services.db, reference_of(info), viewer, first, after)


FEATURE = feature(
    __file__,
    {
        "Query": {"workout": _workout, "myWorkouts": _my_workouts},
        "Mutation": {"logWorkout": _log_workout},
    },
)
