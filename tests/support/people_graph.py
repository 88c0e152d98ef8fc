"""People who follow each other: the services over a real database, and a plain model of what they should come to."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from api.accounts.revocations import Revocations
from api.community.rules import Relation
from api.community.service import Community, Presences
from api.feed.service import Feeds
from config.db.database import Database, Transaction
from config.ids import uuid7
from config.redis import connect
from rt.wire.audience import Audience
from tests.support.ledger import NOW, Ledger, ledger, query
from tests.support.stores import Database as MadeDatabase

_ADD = query(
    "INSERT INTO users (id, account_id, email, name, password_hash, audience, created_at, updated_at)"
    " VALUES ($1, $2, $3, $4, '', $5, $6, $6)"
)
_OPEN = query("SELECT open_account($1, $2, 0, $3)")


class Asking:
    """The use cases of one service, each over the database as its first argument sees it."""

    def __init__(self, make: Callable[[Database], Any], db: Database) -> None:
        self._make = make
        self._db = db

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(viewer: UUID | None, *args: Any, **more: Any) -> Any:
            return getattr(self._make(self._db.of(viewer)), name)(viewer, *args, **more)

        return ask


@dataclass(frozen=True)
class People:
    """One process's view of them. `community` and `feeds` have the methods of Community and Feeds."""

    books: Ledger
    community: Any
    feeds: Any

    async def add(self, name: str = "Ann", audience: str = "everyone") -> UUID:
        """A new user."""
        user, account = uuid7(), uuid7()

        async def work(tx: Transaction) -> None:
            await tx.execute(_OPEN, account, uuid7(), NOW)
            await tx.execute(_ADD, user, account, f"{user}@example.org", name, audience, NOW)

        await self.books.db.of(user).write(work)
        return user

    async def audience(self, user: UUID, audience: str, now: datetime = NOW) -> None:
        """Chooses one."""
        await self.community.set_audience(user, audience, now)


@asynccontextmanager
async def people(database: MadeDatabase) -> AsyncIterator[People]:
    """As the API's role; without a Redis nobody hears of what ends, and nobody is here."""
    redis = connect("redis://127.0.0.1:1")
    try:
        async with ledger(database) as books:
            revocations = Revocations(books.db, redis)
            presences = Presences(redis, books.settings.presence_partitions)

            def community(db: Database) -> Community:
                return Community(db, presences, revocations, books.wake)

            yield People(books, Asking(community, books.db), Asking(Feeds, books.db))
    finally:
        await redis.aclose()


@dataclass
class Graph:
    """What a sequence of changes should come to: the words of the contract, and no more."""

    audience: dict[int, Audience] = field(default_factory=dict)
    state: dict[tuple[int, int], str] = field(default_factory=dict)  # (follower, owner) -> following, requested
    blocks: set[tuple[int, int]] = field(default_factory=set)

    def relation(self, viewer: int, owner: int) -> Relation:
        """What the viewer is to the owner."""
        if viewer == owner:
            return "self"
        if {(viewer, owner), (owner, viewer)} & self.blocks:
            return "blocked"
        match self.state.get((viewer, owner)):
            case "following":
                return "following"
            case "requested":
                return "requested"
            case _:
                return "stranger"

    def follow(self, viewer: int, owner: int) -> None:
        """Whoever may be seen is followed, or asked."""
        audience = self.audience[owner]
        if viewer != owner and self.relation(viewer, owner) != "blocked" and audience != "nobody":
            wanted = "following" if audience == "everyone" else "requested"
            if self.state.get((viewer, owner)) != "following":
                self.state[viewer, owner] = wanted

    def unfollow(self, viewer: int, owner: int) -> None:
        """Also takes a request back."""
        self.state.pop((viewer, owner), None)

    def answer(self, owner: int, follower: int, *, accept: bool) -> None:
        """Of a request by somebody whom the owner may see."""
        hidden = self.audience[follower] == "nobody" or self.relation(owner, follower) == "blocked"
        if self.state.get((follower, owner)) == "requested" and not hidden:
            if accept:
                self.state[follower, owner] = "following"
            else:
                del self.state[follower, owner]

    def block(self, viewer: int, other: int) -> None:
        """Both ways; of somebody whom the viewer may see, or who is one of theirs."""
        tied = (viewer, other) in self.state or (other, viewer) in self.state
        visible = self.relation(viewer, other) != "blocked" and self.audience[other] != "nobody"
        if viewer != other and (visible or tied):
            self.blocks.add((viewer, other))
            self.state.pop((viewer, other), None)
            self.state.pop((other, viewer), None)

    def unblock(self, viewer: int, other: int) -> None:
        """Gives nothing back."""
        self.blocks.discard((viewer, other))
