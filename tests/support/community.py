"""What tests of people among each other share: events of each type as the product records them, followers, blocks, and
feeds that are numbered without a process."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from api.feed.rules import FeedEvent, community_feed, dashboard
from api.feed.service import Feeds
from api.highfives.service import HighFives
from config.ids import uuid7
from rt.wire.channels import profile_channel
from tests.integration.test_relay_backlog import lead
from tests.support.feed import whole
from tests.support.ledger import Ledger, connection, ledger
from tests.support.stores import Database
from worker.leader import Lease
from worker.relay import renditions_of
from worker.store import RelayStore

# Of each type: with which visibilities it is recorded, and an example of its data.
PROFILE: Final = ("PUBLIC_PROFILE",)
PROFILE_AND_OWN: Final = ("PUBLIC_PROFILE", "PRIVATE")
OWN: Final = ("PRIVATE",)
PUBLIC: Final = ("PUBLIC_ANON", "PUBLIC_PROFILE")
SOMEBODY: Final = {"id": "0199a1c2-7d00-7000-8000-00000000beef", "name": "Bea"}
WORKOUT: Final = {
    "workout_id": "0199a1c2-7d00-7000-8000-000000000002",
    "performed_at": "2026-11-21T09:08:07Z",
    "total_tu": 285,
    "exercises": [{"slug": "hip-adduction", "name": "Hip adduction", "sets": 3, "reps": 30}],
    "muscles": [{"slug": "adductors", "name": "Adductors", "training_units": 285}],
    "note": "new shoes",
}
EVENTS: Final[Mapping[str, Sequence[tuple[Sequence[str], dict[str, Any]]]]] = {
    "workout_completed": [(PUBLIC, WORKOUT), (("PUBLIC_ANON",), WORKOUT), (PROFILE, WORKOUT), (OWN, WORKOUT)],
    "level_up": [(PROFILE, {"v": 1, "level": 4}), (OWN, {"v": 1, "level": 5})],
    "milestone_achieved": [
        (PROFILE_AND_OWN, {"v": 1, "kind": "workouts", "value": 100}),
        (OWN, {"v": 1, "kind": "record", "value": 82.5, "exercise": "back-squat"}),
    ],
    "challenge_completed": [
        (PROFILE_AND_OWN, {"v": 1, "challenge": {"slug": "pull-week", "name": "Pull week"}, "reward_xp": 50})
    ],
    "high_five": [(OWN, {"v": 1, "event_id": str(uuid.UUID(int=7)), "event_type": "level_up", "user": SOMEBODY})],
    "follow_requested": [(OWN, {"v": 1, "user": SOMEBODY})],
    "followed": [(OWN, {"v": 1, "user": SOMEBODY})],
    "credits_granted": [(OWN, {"v": 1, "credits": 50, "reason": "grant"})],
}

_APPEND = "SELECT append_event($1, now(), 'musclemap', $2, 1, u.account_id, u.id, u.name, $3, $4) FROM users AS u"


async def record(app: Any, user: UUID, kind: str, visibility: Sequence[str], data: Mapping[str, Any]) -> UUID:
    """One event of `user` in the transaction at hand; its id."""
    event_id = uuid7()
    await app.execute(f"{_APPEND} WHERE u.id = $5", event_id, kind, list(visibility), orjson.dumps(data).decode(), user)
    return event_id


@dataclass
class Community:
    """People over one database; the test is the relay."""

    books: Ledger
    owner: asyncpg.Connection  # of the tables
    relay: RelayStore
    lease: Lease

    def high_fives(self, viewer: UUID | None) -> HighFives:
        """As a request of this user, or of nobody, has it."""
        return HighFives(self.books.of(viewer) if viewer else self.books.db, self.books.wake)

    async def follow(self, follower: UUID, followee: UUID, state: str = "following") -> None:
        await self.owner.execute("INSERT INTO follows VALUES ($1, $2, $3, now())", follower, followee, state)

    async def block(self, blocker: UUID, blocked: UUID) -> None:
        await self.owner.execute("INSERT INTO blocks VALUES ($1, $2, now())", blocker, blocked)

    async def number(self) -> None:
        """Gives all that waits its offsets."""
        while (await self.relay.number(self.lease, {}, renditions_of)).events:
            pass

    async def happens(
        self, user: UUID, visibility: Sequence[str] = PUBLIC, kind: str = "workout_completed"
    ) -> tuple[UUID, UUID | None]:
        """An event of `user`, numbered: its id, and the one under which the community reads it, if it does."""
        event_id = await record(self.owner, user, kind, visibility, EVENTS[kind][0][1])
        await self.number()
        told = await self.owner.fetchval("SELECT event_id FROM stream_positions WHERE source_event = $1", event_id)
        return event_id, told

    async def on_dashboard(self, user: UUID, kind: str = "high_five") -> list[dict[str, Any]]:
        """Events of a kind that `user` has heard of, oldest first."""
        await self.number()
        page = await Feeds(self.books.of(user)).page(dashboard(user), 100)
        return [whole(one.event) for one in reversed(page.events) if one.event.type == kind]

    async def page(self, channel: str) -> list[FeedEvent]:
        """The newest events of `community`, or of the user with this id as followers read them."""
        feed = community_feed() if channel == "community" else profile_channel(channel)
        return list((await Feeds(self.books.db).page(feed, 100)).events)


@asynccontextmanager
async def community(database: Database, **settings: Any) -> AsyncIterator[Community]:
    """A community of nobody yet."""
    async with ledger(database, **settings) as books, connection(database.owner_url) as owner:
        yield Community(books, owner, RelayStore(books.worker), await lead(books.worker))
