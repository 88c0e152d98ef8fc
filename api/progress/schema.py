"""Progress in GraphQL."""

from typing import Any

from api.accounts.rules import User
from api.accounts.service import Accounts
from api.graphql.context import Info, context_of, service_of, viewer_id
from api.graphql.schema import feature
from api.progress.rules import Streak
from api.progress.service import Progress
from api.reference.goals import Archetype
from api.reference.service import Reference


async def _streak(_: Any, info: Info) -> Streak:
    return await service_of(info, Progress).streak(viewer_id(info), context_of(info).now)


async def _set_time_zone(_: Any, info: Info, **arguments: Any) -> User:
    viewer = viewer_id(info)
    await service_of(info, Progress).set_time_zone(viewer, arguments["timeZone"], context_of(info).now)
    return await service_of(info, Accounts).me(viewer)


async def _set_archetype(_: Any, info: Info, **arguments: Any) -> User:
    viewer = viewer_id(info)
    await service_of(info, Progress).set_archetype(viewer, arguments["id"], context_of(info).now)
    return await service_of(info, Accounts).me(viewer)


def _archetype(user: User, info: Info) -> Archetype | None:
    return service_of(info, Reference).ready().archetype(user.archetype_id) if user.archetype_id else None


def _last_date(streak: Streak, _: Info) -> str | None:
    return streak.last_date.isoformat() if streak.last_date else None


FEATURE = feature(
    __file__,
    {
        "Query": {"streak": _streak},
        "Mutation": {"setTimeZone": _set_time_zone, "setArchetype": _set_archetype},
        "User": {"archetype": _archetype},
        "Streak": {"lastDate": _last_date},
    },
)
