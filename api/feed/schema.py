"""Feeds in GraphQL: an event is read from the body that the live stream carries too."""

from typing import Any
from uuid import UUID

from api.feed import rules
from api.feed.rules import FeedEvent, FeedPage, MergedPage
from api.feed.service import Feeds
from api.graphql.context import Info, service_of, viewer_id
from api.graphql.schema import feature
from api.graphql.ways import Attribute, Item
from api.pages import PageInfo
from config.errors import NotFound


async def _community(_: Any, info: Info, first: int | None = None, after: str | None = None) -> FeedPage:
    return await service_of(info, Feeds).page(rules.community_feed(), first, after)


async def _dashboard(_: Any, info: Info, first: int | None = None, after: str | None = None) -> FeedPage:
    return await service_of(info, Feeds).page(rules.dashboard(viewer_id(info)), first, after)


async def _profile(_: Any, info: Info, first: int | None = None, after: str | None = None, **ids: str) -> FeedPage:
    return await service_of(info, Feeds).profile(viewer_id(info), _id(ids["userId"]), first, after)


async def _following(_: Any, info: Info, first: int | None = None, after: str | None = None) -> MergedPage:
    return await service_of(info, Feeds).following(viewer_id(info), first, after)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


def _node(event: FeedEvent) -> FeedEvent:
    return event  # which knows its cursor


def _page_info(page: FeedPage | MergedPage) -> PageInfo:
    return PageInfo(page.events[-1].cursor if page.events else None, page.has_next)


FEATURE = feature(
    __file__,
    {
        "Query": {
            "communityFeed": _community,
            "dashboard": _dashboard,
            "profileFeed": _profile,
            "followingFeed": _following,
        },
        "FeedConnection": {"edges": Attribute("events"), "pageInfo": _page_info},
        "FeedEdge": {"node": _node},
        "FeedEvent": {
            "id": Attribute("event.id"),
            "type": Attribute("event.type"),
            "createdAt": Attribute("event.created_at"),
            "actor": Attribute("event.actor"),
            "data": Attribute("event.data"),
        },
        "Actor": {"id": Item("id"), "name": Item("name")},
    },
)
