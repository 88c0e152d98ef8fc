"""High fives in GraphQL: sent for an event, and counted with it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from api.feed.rules import FeedEvent
from api.graphql.context import Info, context_of, service_of, viewer_id, viewer_or_none
from api.graphql.schema import feature
from api.graphql.ways import Relation
from api.highfives.rules import Sent, Tally
from api.highfives.service import HighFives


async def _send(_: Any, info: Info, **arguments: Any) -> Sent:
    sender, now = viewer_id(info), context_of(info).now
    return await service_of(info, HighFives).send(sender, arguments["eventId"], arguments["idempotencyKey"], now)


async def _high_fives(events: Sequence[FeedEvent], info: Info) -> list[int]:
    return [tally.high_fives for tally in await _tallies(events, info)]


async def _high_fived(events: Sequence[FeedEvent], info: Info) -> list[bool]:
    return [tally.mine for tally in await _tallies(events, info)]


async def _tallies(events: Sequence[FeedEvent], info: Info) -> list[Tally]:
    ids = [UUID(event.event.id) for event in events]
    return await service_of(info, HighFives).tallies(ids, viewer_or_none(info))


FEATURE = feature(
    __file__,
    {
        "Mutation": {"sendHighFive": _send},
        "FeedEvent": {"highFives": Relation(_high_fives), "highFived": Relation(_high_fived)},
    },
)
