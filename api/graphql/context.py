"""What resolvers are given: the process's services, and who asks."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from graphql import GraphQLResolveInfo

from api.outbox import Wake
from api.reference.service import Reference
from config.db.database import Database
from config.errors import RetryLater, Unauthenticated
from config.redis import RedisClient
from config.settings import Settings
from rt.auth.tokens import Access

Info = GraphQLResolveInfo[Any]


class Services(NamedTuple):
    """One per process."""

    settings: Settings
    db: Database
    redis: RedisClient
    reference: Reference
    wake: Wake


class Context(NamedTuple):
    """One per request. `viewer` is None for whoever is not signed in."""

    services: Services
    viewer: Access | None
    now: datetime


def context_of(info: Info) -> Context:
    """The request's context, typed."""
    context: Context = info.context
    return context


def viewer_id(info: Info) -> UUID:
    """The signed-in user's id. Raises Unauthenticated."""
    viewer = context_of(info).viewer
    if viewer is None:
        raise Unauthenticated
    return UUID(viewer.user)


def reference_of(info: Info) -> Reference:
    """The reference data. Raises RetryLater until it is loaded: an exercise must not be called unknown before."""
    reference = context_of(info).services.reference
    if not reference.loaded:
        raise RetryLater("Reference data is not loaded yet")
    return reference
