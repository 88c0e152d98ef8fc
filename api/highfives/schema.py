"""High fives in GraphQL: sent for an event, and counted with it."""

from typing import Any
from uuid import UUID

from api.feed.rules import FeedEvent
from api.graphql.context import Info, context_of, service_of, viewer_id
from api.graphql.schema import feature
from api.highfives.rules import Sent, Tally
from api.highfives.service import HighFives


async def _send(_: Any, info: Info, **arguments: Any) -> Sent:
    sender, now = viewer_id(info), context_of(info).now
    return await service_of(info, HighFives).send(sender, arguments["eventId"], arguments["idempotencyKey"], now)


async def _high_fives(event: FeedEvent, info: Info) -> int:
    return (await _tally(event, info)).high_fives


async def _high_fived(event: FeedEvent, info: Info) -> bool:
    return (await _tally(event, info)).mine


async def _tally(event: FeedEvent, info: Info) -> Tally:
    viewer = context_of(info).viewer
    return await service_of(info, HighFives).tally(UUID(event.event.id), UUID(viewer.user) if viewer else None)


FEATURE = feature(
    __file__,
    {
        "Mutation": {"sendHighFive": _send},
        "FeedEvent": {"highFives": _high_fives, "highFived": _high_fived},
    },
)
