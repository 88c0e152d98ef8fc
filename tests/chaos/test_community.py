"""People who train, sync, follow, applaud and buy while processes are killed: what is left is what was acknowledged.

Each of them has one word of what happened, the acknowledgements; the books, streaks, levels and counts are held against
a recount from those alone, and the auditor looks at everything.
"""

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from tests.e2e.scene import WELCOME_CREDITS, WORKOUT_COST, Scene, scene, watching
from tests.e2e.test_kills import kill_in_turn
from tests.support.earned import stored, trained
from tests.support.earning import Model
from tests.support.extent import some_or_all
from tests.support.ledger import Ledger, connection, ledger, query
from tests.support.payments import SECRET, checkout, event, signed
from tests.support.people import LOG_WORKOUT, UNANSWERED, Person, RefusedError
from tests.support.relay import eventually
from tests.support.stores import Database
from tests.support.watcher import Watcher
from worker.books.audit import audit

SYNC: Final = """
mutation Sync($inputs: [SyncWorkoutInput!]!) { syncWorkouts(inputs: $inputs) { idempotencyKey status error { code } } }
"""
FEEDS: Final = (
    "{ feed: communityFeed(first: 30) { edges { node { id highFived } } } }",
    "{ feed: followingFeed(first: 30) { edges { node { id highFived } } } }",
)
HIGH_FIVE: Final = "mutation($id: ID!, $key: String!) { sendHighFive(eventId: $id, idempotencyKey: $key) { existing } }"
CREDITS: Final = 100  # of a purchase
DAYS: Final = 40  # of the past in which workouts lie
PAUSE_S: Final = 0.1
SETTLED_S: Final = 60.0


@dataclass
class Member:
    """Somebody, and what they were told is done."""

    person: Person
    exercises: list[str]
    chance: random.Random
    workouts: dict[str, dict[str, Any]] = field(default_factory=dict)  # by key, as the service takes them
    following: set[str] = field(default_factory=set)
    followed_once: set[str] = field(default_factory=set)
    applauded: set[str] = field(default_factory=set)
    purchases: int = 0

    @property
    def id(self) -> str:
        return self.person.id

    def some_workout(self) -> dict[str, Any]:
        sets = [{"reps": self.chance.randint(1, 40), "weightKg": self.chance.choice([None, 20.5, 60.0, 80.5])}]
        chosen = self.chance.sample(self.exercises, self.chance.randint(1, 4))
        ago = timedelta(milliseconds=self.chance.randrange(DAYS * 24 * 3_600_000))
        parts = [{"exerciseId": one, "sets": sets * self.chance.randint(1, 4)} for one in chosen]
        return {"performedAt": datetime.now(UTC) - ago, "exercises": parts}

    async def log(self) -> None:
        key, made = str(uuid.uuid4()), self.some_workout()
        await self.person.graphql_surely(LOG_WORKOUT, input=_sent(made), key=key)
        self.workouts[key] = made

    async def sync(self) -> None:
        """Some that were done offline, and one that had been sent before."""
        made = {str(uuid.uuid4()): self.some_workout() for _ in range(4)}
        if self.workouts:
            key = self.chance.choice(list(self.workouts))
            made[key] = self.workouts[key]
        inputs = [{"idempotencyKey": key, "workout": _sent(raw)} for key, raw in made.items()]
        while True:
            done = (await self.person.graphql_surely(SYNC, inputs=inputs))["syncWorkouts"]
            if not [one for one in done if (one["error"] or {}).get("code") == "RETRY_LATER"]:
                break
        assert {one["status"] for one in done} <= {"CREATED", "EXISTING"}, done
        self.workouts |= made

    async def follow(self, others: list[str]) -> None:
        """Somebody, or no more."""
        other = self.chance.choice(others)
        what = "unfollow" if other in self.following else "follow"
        query = f"mutation($id: ID!) {{ {what}(userId: $id) {{ followState }} }}"
        answer = (await self.person.graphql_surely(query, id=other))[what]
        assert answer["followState"] == ("FOLLOWING" if what == "follow" else "NONE")
        self.following ^= {other}
        self.followed_once.add(other)

    async def applaud(self) -> None:
        """Something that is not one's own, under the id of the community or of a profile."""
        page = await self.person.graphql_surely(self.chance.choice(FEEDS))
        shown = [edge["node"]["id"] for edge in page["feed"]["edges"] if not edge["node"]["highFived"]]
        if not shown:
            return
        wanted = self.chance.choice(shown)
        try:
            await self.person.graphql_surely(HIGH_FIVE, id=wanted, key=str(uuid.uuid4()))
        except RefusedError as refused:
            if refused.code != "CONFLICT":  # one's own, which the community does not tell
                raise
        else:
            self.applauded.add(wanted)

    async def buy(self) -> None:
        """The provider tells it until it is taken, and often once more."""
        name = f"{self.id}_{self.purchases}"
        about = checkout(f"cs_{name}", self.id, bought=str(CREDITS))
        body = event(f"evt_{name}", "checkout.session.completed", datetime.now(UTC), about)
        taken, wanted = 0, self.chance.randint(1, 2)
        async with asyncio.timeout(SETTLED_S):
            while taken < wanted:
                try:
                    url = f"{self.person.base_url}/api/v1/webhooks/stripe"
                    answer = await self.person.client.post(url, content=body, headers=signed(body))
                except UNANSWERED:
                    await asyncio.sleep(0.05)
                    continue
                assert answer.status_code in (200, 503), answer.text
                taken += answer.status_code == 200
        self.purchases += 1

    async def live(self, killing: asyncio.Task[None], others: list[str], at_least: int) -> None:
        """Does one thing after the other until the task is over: each kind of thing in each round, in any order."""
        acts = [self.log] * 4 + [self.sync, self.buy, self.applaud, self.applaud, lambda: self.follow(others)]
        turns: list[Callable[[], Awaitable[None]]] = []
        number = 0
        while not killing.done() or number < at_least:
            turns = turns or self.chance.sample(acts, len(acts))
            await turns.pop()()
            number += 1
            await asyncio.sleep(PAUSE_S)


def _sent(raw: dict[str, Any]) -> dict[str, Any]:
    return raw | {"performedAt": raw["performedAt"].isoformat()}


async def of_members(books: Ledger, members: list[Member]) -> list[str]:
    """What each one has that does not follow from what they were told: earned, paid, followed."""
    found = []
    counts = {
        row["user_id"]: (row["following"], row["followers"])
        for row in await books.everything.fetch(query("SELECT * FROM follow_counts"))
    }
    for one in members:
        user = UUID(one.id)
        done = [trained(books, raw) for raw in one.workouts.values()]
        model = Model(user, books.reference.goals.challenges, trained=done).summary()
        kept = await stored(books, user)
        found += [f"{one.id}: {name} {kept[name]}, not {model[name]}" for name in model if kept[name] != model[name]]
        balance = await books.everything.fetchrow(
            query("SELECT credits FROM users JOIN credit_balances USING (account_id) WHERE id = $1"), user
        )
        due = WELCOME_CREDITS + CREDITS * one.purchases - WORKOUT_COST * len(one.workouts)
        if balance["credits"] != due:
            found.append(f"{one.id}: balance {balance['credits']}, not {due}")
        expected = len(one.following), sum(one.id in other.following for other in members)
        if counts.get(user, (0, 0)) != expected:
            found.append(f"{one.id}: follows and is followed {counts.get(user)}, not {expected}")
        found += [f"{one.id}: {fault}" for fault in await of_dashboard(books, one, members, model)]
    return found


async def of_dashboard(books: Ledger, one: Member, members: list[Member], model: dict[str, Any]) -> list[str]:
    """What somebody was told: each thing once."""
    rows = await books.everything.fetch(
        query(
            "SELECT body ->> 'type' AS type, body -> 'data' AS data, body #>> '{actor,id}' AS actor"
            " FROM feed_positions WHERE channel = $1"
        ),
        f"user:{one.id}",
    )
    told = Counter(row["type"] for row in rows)
    expected = {
        "workout_completed": len(one.workouts),
        "credits_granted": one.purchases,
        "followed": sum(one.id in other.followed_once for other in members),
        "challenge_completed": model["completed"],
    }
    found = [f"{told[kind]} {kind}, not {count}" for kind, count in expected.items() if told[kind] != count]
    single = ("level_up", "milestone_achieved", "high_five")
    once = Counter((row["actor"], row["data"]) for row in rows if row["type"] in single)
    return found + [f"told {count} times: {what}" for what, count in once.items() if count > 1]


async def of_applause(books: Ledger, members: list[Member]) -> list[str]:
    """High fives that nobody was told of or that are missing, and counts of others than there are."""
    rows = await books.everything.fetch(query("SELECT rendition_id, sender_id FROM high_fives"))
    sent = {(str(row["rendition_id"]), str(row["sender_id"])) for row in rows}
    told = {(rendition, one.id) for one in members for rendition in one.applauded}
    tallies = await books.everything.fetch(
        query("SELECT rendition_id, sum(high_fives) AS n FROM high_five_counts GROUP BY rendition_id")
    )
    counted = {str(row["rendition_id"]): int(row["n"]) for row in tallies}
    found = [f"high fives {sent ^ told}"] if sent != told else []
    if counted != Counter(rendition for rendition, _ in told):
        found.append(f"high fives counted {counted}")
    return found


async def of_watcher(books: Ledger, one: Watcher) -> list[str]:
    """What somebody heard otherwise than the feed has it, to its end. Of a person's own the last 50 can be recovered:
    where more was missed there is a hole, which is told."""
    table = "stream_positions" if one.channel == "community" else "feed_positions"
    rows = await books.everything.fetch(
        query(f'SELECT "offset", event_id FROM {table} WHERE channel = $1'),  # noqa: S608 - one of two
        one.channel,
    )
    there = {row["offset"]: str(row["event_id"]) for row in rows}

    async def offset() -> int:
        return one.offset

    with contextlib.suppress(TimeoutError):
        await eventually(offset, lambda reached: reached >= max(there, default=0), SETTLED_S)
    heard = {offset: happened["id"] for offset, happened in one.events}
    told = one.channel != "community" and False in one.recovered
    same = heard.items() <= there.items() if told else heard == there
    if same and len(heard) == len(one.events) and one.offset == max(there, default=0) and not one.wrong:
        return []
    return [f"{one.channel}: heard {len(one.events)} of {len(rows)}, wrong {one.wrong}, recovered {one.recovered}"]


async def recounted(stage: Scene, members: list[Member], watchers: list[Watcher]) -> list[str]:
    """Everything that is wrong, once all is numbered."""
    async with ledger(stage.database) as books, connection(stage.database.owner_url) as owner:
        await eventually(lambda: owner.fetchval("SELECT count(*) FROM outbox"), lambda left: left == 0, SETTLED_S)
        found = [str(finding) for finding in await audit(owner)]
        found += await of_members(books, members)
        found += await of_applause(books, members)
        heard = await asyncio.gather(*(of_watcher(books, one) for one in watchers))
        return found + [fault for faults in heard for fault in faults]


@pytest.mark.timeout(600)
@some_or_all("size", (3, 4, 9), (20, 16, 40))
async def test_what_people_did_among_kills_is_there_once(
    size: tuple[int, int, int], database: Database, redis_url: str, tmp_path: Path
) -> None:
    """kill -9 of worker, gateway and API in turn, 3 before 4 people (in `make chaos` 20 before 16), each of whom does
    some things at least. Seen failing with a new key for each try."""
    kills, people, at_least = size
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    async with scene(database, redis_url, tmp_path, people, STRIPE_WEBHOOK_SECRET=SECRET) as stage:
        members = [Member(one, stage.exercises, random.Random(chance.random())) for one in stage.people]
        watchers = [Watcher(stage.fleet.ws_url)]
        watchers += [Watcher(stage.fleet.ws_url, f"user:{one.id}", one.person.token) for one in members]
        async with watching(watchers):
            killing = asyncio.create_task(kill_in_turn(stage, chance, kills))
            everybody = [one.id for one in members]
            await asyncio.gather(
                *(one.live(killing, [other for other in everybody if other != one.id], at_least) for one in members)
            )
            await killing
            found = await recounted(stage, members, watchers)
    done = {
        "workouts": sum(len(one.workouts) for one in members),
        "follows": sum(len(one.followed_once) for one in members),
        "high fives": sum(len(one.applauded) for one in members),
        "purchases": sum(one.purchases for one in members),
    }
    tries = sum(one.person.tries for one in members)
    print(f"seed {seed}: {kills} kills, {done}, {tries} tries, {sum(len(one.recovered) for one in watchers)} joins")
    assert found == []
    assert all(done.values()), "something was never done: this proved nothing of it"
