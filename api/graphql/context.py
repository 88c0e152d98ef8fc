"""What resolvers are given: what the features offer, and who asks. It names no feature."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from graphql import GraphQLResolveInfo

from config.db.database import Database
from config.errors import Unauthenticated
from rt.auth.tokens import Access

Info = GraphQLResolveInfo[Any]
Offered = TypeVar("Offered")

# Of each feature its service's class, and how one is made over a request's view of the database.
Makers = Mapping[type, Callable[[Database], Any]]


class Services:
    """The features' services, by their class: one of each a request, made when it is first asked for."""

    __slots__ = ("_db", "_made", "_makers")

    def __init__(self, makers: Makers, db: Database) -> None:
        self._makers = makers
        self._db = db
        self._made: dict[type, Any] = {}

    def __getitem__(self, kind: type[Offered]) -> Offered:
        """The service of this class. Raises KeyError where api/app.py makes none."""
        made: Offered | None = self._made.get(kind)
        if made is None:
            made = self._made[kind] = self._makers[kind](self._db)
        return made


class Context(NamedTuple):
    """One per request. `viewer` is None for whoever is not signed in."""

    services: Services
    viewer: Access | None
    now: datetime


def context_of(info: Info) -> Context:
    """The request's context, typed."""
    context: Context = info.context
    return context


def service_of(info: Info, kind: type[Offered]) -> Offered:
    """The request's service of this class."""
    return context_of(info).services[kind]


def viewer_or_none(info: Info) -> UUID | None:
    """The signed-in user's id, where somebody is."""
    viewer = context_of(info).viewer
    return None if viewer is None else UUID(viewer.user)


def viewer_id(info: Info) -> UUID:
    """The signed-in user's id. Raises Unauthenticated."""
    viewer = viewer_or_none(info)
    if viewer is None:
        raise Unauthenticated
    return viewer
