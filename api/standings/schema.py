"""Leaderboards and rivals in GraphQL."""

from typing import Any

from api.graphql.context import Info, context_of, service_of, viewer_id, viewer_or_none
from api.graphql.schema import feature
from api.standings.rules import Leaderboard, Rival, user_of
from api.standings.service import Standings


async def _leaderboard(
    _: Any, info: Info, first: int | None = None, after: str | None = None, **of: Any
) -> Leaderboard:
    standings, who, now = service_of(info, Standings), viewer_or_none(info), context_of(info).now
    return await standings.leaderboard(who, of["board"], of["period"], now, first, after)


async def _rivals(_: Any, info: Info) -> list[Rival]:
    return await service_of(info, Standings).rivals(viewer_id(info), context_of(info).now)


async def _add_rival(_: Any, info: Info, **arguments: Any) -> Rival:
    standings, viewer = service_of(info, Standings), viewer_id(info)
    return await standings.add_rival(viewer, user_of(arguments["userId"]), context_of(info).now)


async def _remove_rival(_: Any, info: Info, **arguments: Any) -> bool:
    return await service_of(info, Standings).remove_rival(viewer_id(info), user_of(arguments["userId"]))


FEATURE = feature(
    __file__,
    {
        "Query": {"leaderboard": _leaderboard, "rivals": _rivals},
        "Mutation": {"addRival": _add_rival, "removeRival": _remove_rival},
    },
)
