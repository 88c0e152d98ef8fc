"""Accounts in GraphQL."""

from typing import Any

from api.accounts import service
from api.accounts.rules import User
from api.graphql.context import Info, context_of, viewer_id
from api.graphql.schema import feature


async def _me(_: Any, info: Info) -> User:
    return await service.me(context_of(info).services.db, viewer_id(info))


def _audience(user: User, _: Info) -> str:
    return user.audience.upper()


FEATURE = feature(__file__, {"Query": {"me": _me}, "User": {"audience": _audience}})
