"""Channel tokens in GraphQL."""

from typing import Any

from api.channels.rules import ChannelToken
from api.channels.service import Channels
from api.graphql.context import Info, context_of, service_of, viewer_of
from api.graphql.schema import feature


async def _token(_: Any, info: Info, channel: str) -> ChannelToken:
    return await service_of(info, Channels).token(viewer_of(info), channel, context_of(info).now)


async def _tokens(_: Any, info: Info, channels: list[str]) -> list[ChannelToken]:
    return await service_of(info, Channels).tokens(viewer_of(info), channels, context_of(info).now)


FEATURE = feature(__file__, {"Query": {"channelToken": _token, "channelTokens": _tokens}})
