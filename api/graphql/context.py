"""What resolvers are given: what the features offer, and who asks. It names no feature."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

from api.loader import Loader
from config.db.database import Database
from config.errors import Unauthenticated
from rt.auth.tokens import Access

Offered = TypeVar("Offered")


class Info(Protocol):
    """What resolvers may read of the library's info: a plan resolves without the rest."""

    @property
    def context(self) -> Any: ...


# Of each feature its service's class, and how one is made over a request's view of the database.
Makers = Mapping[type, Callable[[Database], Any]]


class Services:
    """The features' services, by their class: one of each a request, made when it is first asked for."""

    __slots__ = ("_db", "_loaders", "_made", "_makers")

    def __init__(self, makers: Makers, db: Database) -> None:
        self._makers = makers
        self._db = db
        self._made: dict[type, Any] = {}
        self._loaders: dict[object, Loader[Any, Any]] = {}

    def __getitem__(self, kind: type[Offered]) -> Offered:
        """The service of this class. Raises KeyError where api/app.py makes none."""
        made: Offered | None = self._made.get(kind)
        if made is None:
            made = self._made[kind] = self._makers[kind](self._db)
        return made

    def loader(self, of: object, load: Callable[[Sequence[Any]], Awaitable[Mapping[Any, Any]]]) -> Loader[Any, Any]:
        """The request's loader of what `of` stands for, which `load` loads."""
        loader = self._loaders.get(of)
        if loader is None:
            loader = self._loaders[of] = Loader(load)
        return loader


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


def viewer_of(info: Info) -> Access:
    """Who is signed in, and by which session. Raises Unauthenticated."""
    viewer = context_of(info).viewer
    if viewer is None:
        raise Unauthenticated
    return viewer


def viewer_id(info: Info) -> UUID:
    """The signed-in user's id. Raises Unauthenticated."""
    return UUID(viewer_of(info).user)
