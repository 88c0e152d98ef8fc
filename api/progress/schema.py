"""Progress in GraphQL."""

from collections.abc import Sequence
from typing import Any

from api.accounts.rules import User
from api.accounts.service import Accounts
from api.community.rules import Profile
from api.graphql.context import Info, context_of, service_of, viewer_id, viewer_or_none
from api.graphql.schema import feature
from api.graphql.ways import Relation
from api.progress.rules import EarnedAchievement, Streak
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


def _archetypes(users: Sequence[User], info: Info) -> list[Archetype | None]:
    known = service_of(info, Reference).ready()
    return [known.archetype(user.archetype_id) if user.archetype_id else None for user in users]


async def _archetypes_of(profiles: Sequence[Profile], info: Info) -> list[Archetype | None]:
    who, now = viewer_or_none(info), context_of(info).now
    return await service_of(info, Progress).archetypes(who, [profile.id for profile in profiles], now)


async def _achievements_of(profiles: Sequence[Profile], info: Info) -> list[list[EarnedAchievement]]:
    who, now = viewer_or_none(info), context_of(info).now
    return await service_of(info, Progress).achievements(who, [profile.id for profile in profiles], now)


def _last_date(streak: Streak) -> str | None:
    return streak.last_date.isoformat() if streak.last_date else None


FEATURE = feature(
    __file__,
    {
        "Query": {"streak": _streak},
        "Mutation": {"setTimeZone": _set_time_zone, "setArchetype": _set_archetype},
        "User": {"archetype": Relation(_archetypes)},
        "Profile": {"archetype": Relation(_archetypes_of), "achievements": Relation(_achievements_of)},
        "Streak": {"lastDate": _last_date},
    },
)
