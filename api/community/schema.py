"""People in GraphQL."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from api.accounts.rules import User
from api.accounts.service import Accounts
from api.community.rules import Presence, Profile
from api.community.service import Community
from api.graphql.context import Info, context_of, service_of, viewer_id, viewer_or_none
from api.graphql.schema import feature
from api.graphql.ways import Relation
from api.pages import Page
from config.errors import NotFound


async def _user(_: Any, info: Info, **arguments: str) -> Profile:
    return await service_of(info, Community).profile(viewer_or_none(info), _id(arguments["id"]), context_of(info).now)


async def _profiles(
    _: Any, info: Info, search: str, first: int | None = None, after: str | None = None
) -> Page[Profile]:
    return await service_of(info, Community).search(viewer_or_none(info), search, context_of(info).now, first, after)


def _people(what: str) -> Callable[..., Any]:
    async def resolve(
        _: Any, info: Info, first: int | None = None, after: str | None = None, **arguments: str
    ) -> Page[Profile]:
        viewer, now = viewer_id(info), context_of(info).now
        user = _id(arguments["userId"]) if arguments else viewer
        return await service_of(info, Community).people(viewer, user, what, now, first, after)

    return resolve


async def _follow(_: Any, info: Info, **arguments: str) -> Profile:
    return await service_of(info, Community).follow(viewer_id(info), _id(arguments["userId"]), context_of(info).now)


async def _unfollow(_: Any, info: Info, **arguments: str) -> Profile:
    return await service_of(info, Community).unfollow(viewer_id(info), _id(arguments["userId"]), context_of(info).now)


def _answer(*, accept: bool) -> Callable[..., Any]:
    async def resolve(_: Any, info: Info, **arguments: str) -> Profile:
        user, now = _id(arguments["userId"]), context_of(info).now
        return await service_of(info, Community).answer(viewer_id(info), user, now, accept=accept)

    return resolve


async def _block(_: Any, info: Info, **arguments: str) -> bool:
    return await service_of(info, Community).block(viewer_id(info), _id(arguments["userId"]), context_of(info).now)


async def _unblock(_: Any, info: Info, **arguments: str) -> bool:
    return await service_of(info, Community).unblock(viewer_id(info), _id(arguments["userId"]), context_of(info).now)


async def _set_audience(_: Any, info: Info, audience: str) -> User:
    await service_of(info, Community).set_audience(viewer_id(info), audience.lower(), context_of(info).now)
    return await service_of(info, Accounts).me(viewer_id(info))


async def _presence(profiles: Sequence[Profile], info: Info) -> list[Presence | None]:
    return await service_of(info, Community).presence(profiles, context_of(info).now)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


FEATURE = feature(
    __file__,
    {
        "Query": {
            "user": _user,
            "profiles": _profiles,
            "followers": _people("followers"),
            "following": _people("following"),
            "followRequests": _people("requests"),
        },
        "Mutation": {
            "follow": _follow,
            "unfollow": _unfollow,
            "acceptFollow": _answer(accept=True),
            "declineFollow": _answer(accept=False),
            "block": _block,
            "unblock": _unblock,
            "setAudience": _set_audience,
        },
        "Profile": {"presence": Relation(_presence)},
    },
)
