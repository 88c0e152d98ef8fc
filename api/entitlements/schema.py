"""Entitlements in GraphQL."""

from typing import Any

from api.entitlements import service
from api.entitlements.rules import Entitlements
from api.graphql.context import Info, context_of, viewer_id
from api.graphql.schema import feature


async def _entitlements(_: Any, info: Info) -> Entitlements:
    context = context_of(info)
    return await service.entitlements(context.services.db, viewer_id(info), context.now)


FEATURE = feature(__file__, {"Query": {"entitlements": _entitlements}})
