"""Challenges in GraphQL."""

from typing import Any

from api.challenges.rules import Challenge
from api.challenges.service import Challenges
from api.graphql.context import Info, context_of, service_of, viewer_id
from api.graphql.schema import feature


async def _challenges(_: Any, info: Info) -> list[Challenge]:
    return await service_of(info, Challenges).mine(viewer_id(info), context_of(info).now)


async def _join(_: Any, info: Info, **arguments: Any) -> Challenge:
    return await service_of(info, Challenges).join(viewer_id(info), arguments["id"], context_of(info).now)


FEATURE = feature(__file__, {"Query": {"challenges": _challenges}, "Mutation": {"joinChallenge": _join}})
