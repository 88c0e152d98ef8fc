"""Entitlements in GraphQL."""

from typing import Any

from api.entitlements.rules import Entitlement
from api.entitlements.service import Entitlements
from api.graphql.context import Info, context_of, service_of, viewer_id
from api.graphql.schema import feature


async def _entitlements(_: Any, info: Info) -> Entitlement:
    return await service_of(info, Entitlements).of_user(viewer_id(info), context_of(info).now)


FEATURE = feature(__file__, {"Query": {"entitlements": _entitlements}})
