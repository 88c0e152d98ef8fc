"""Credits in GraphQL."""

from typing import Any

from api.credits.rules import Balance, Entry
from api.credits.service import Credits
from api.graphql.context import Info, service_of, viewer_id
from api.graphql.schema import feature
from api.pages import Page


async def _balance(_: Any, info: Info) -> Balance:
    return await service_of(info, Credits).balance(viewer_id(info))


async def _ledger(_: Any, info: Info, first: int | None = None, after: str | None = None) -> Page[Entry]:
    return await service_of(info, Credits).ledger(viewer_id(info), first, after)


FEATURE = feature(__file__, {"Query": {"creditBalance": _balance, "creditLedger": _ledger}})
