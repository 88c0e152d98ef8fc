"""Accounts in GraphQL."""

from typing import Any

from api.accounts.rules import User
from api.accounts.service import Accounts
from api.graphql.context import Info, service_of, viewer_id
from api.graphql.schema import feature


async def _me(_: Any, info: Info) -> User:
    return await service_of(info, Accounts).me(viewer_id(info))


def _audience(user: User) -> str:
    return user.audience.upper()


FEATURE = feature(__file__, {"Query": {"me": _me}, "User": {"audience": _audience}})
