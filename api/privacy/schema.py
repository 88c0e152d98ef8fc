"""One's own data in GraphQL."""

from typing import Any

from api.graphql.context import Info, context_of, service_of, viewer_id
from api.graphql.schema import feature
from api.privacy.service import DataExport, Privacy


async def _export(_: Any, info: Info) -> DataExport:
    return await service_of(info, Privacy).export(viewer_id(info), context_of(info).now)


async def _delete(_: Any, info: Info, password: str) -> bool:
    return await service_of(info, Privacy).delete(viewer_id(info), password, context_of(info).now)


FEATURE = feature(__file__, {"Mutation": {"exportMyData": _export, "deleteMyAccount": _delete}})
