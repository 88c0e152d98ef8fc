"""The scene of the end-to-end tests: people who pay for workouts, watchers of the feed, and the final count."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import httpx2

from tests.support.people import Person, exercise_ids
from tests.support.processes import Fleet
from tests.support.stores import Database, environment
from tests.support.watcher import Watcher
from worker.books.audit import audit

WELCOME_CREDITS: Final = 10_000
WORKOUT_COST: Final = 25
JOIN_S: Final = 60.0
REQUEST_S: Final = 30.0  # twenty sign-ups at once are forty Argon2 hashes


@dataclass
class Scene:
    """A running product with signed-in people; everybody pays, for nobody has a trial."""

    fleet: Fleet
    database: Database
    people: list[Person]
    exercises: list[str]

    async def log_workouts(self, count: int, *, pause_s: float = 0) -> None:
        """`count` workouts in all, by all people at once, each repeated with its key until it is acknowledged."""

        async def by(person: Person, share: int) -> None:
            for number in range(share):
                exercise = self.exercises[number % len(self.exercises)]
                await person.log_workout_surely(exercise, reps=1 + number % 20)
                await asyncio.sleep(pause_s)

        assert count % len(self.people) == 0
        await asyncio.gather(*(by(person, count // len(self.people)) for person in self.people))

    async def log_workouts_while(self, going_on: asyncio.Task[None], at_least: int, *, pause_s: float) -> int:
        """Everybody logs workouts until the task is over and there are `at_least`; returns how many there are."""

        async def by(person: Person) -> None:
            number = 0
            while not going_on.done() or number < at_least // len(self.people):
                await person.log_workout_surely(self.exercises[number % len(self.exercises)], reps=1 + number % 20)
                number += 1
                await asyncio.sleep(pause_s)

        await asyncio.gather(*(by(person) for person in self.people))
        await going_on
        return sum(len(person.acknowledged) for person in self.people)

    async def books(self, workouts: int) -> list[str]:
        """What is wrong with the books: `workouts` in all, each acknowledged one there, paid once, and audited."""
        connection = await asyncpg.connect(self.database.owner_url)
        try:
            found = [str(finding) for finding in await audit(connection)]
            stored = {row["idempotency_key"] for row in await connection.fetch("SELECT idempotency_key FROM workouts")}
            numbered = await connection.fetchval("SELECT count(*) FROM stream_positions WHERE channel = 'community'")
            balances = {
                str(row["id"]): row["credits"]
                for row in await connection.fetch(
                    "SELECT users.id, credits FROM users JOIN credit_balances USING (account_id)"
                )
            }
        finally:
            await connection.close()
        if len(stored) != workouts:
            found.append(f"{len(stored)} workouts stored, {workouts} expected")
        if numbered != workouts:
            found.append(f"{numbered} events numbered, {workouts} expected")
        for person in self.people:
            lost = set(person.acknowledged) - stored
            if lost:
                found.append(f"{person.email}: {len(lost)} acknowledged workouts are missing")
            due = WELCOME_CREDITS - WORKOUT_COST * len(person.acknowledged)
            if balances[person.id] != due:
                found.append(f"{person.email}: balance {balances[person.id]}, {due} expected")
        return found


@contextlib.asynccontextmanager
async def scene(database: Database, redis_url: str, folder: Path, people: int, **more: str) -> AsyncIterator[Scene]:
    """The product on free ports with `people` accounts. `more`: settings."""
    env = environment(**database.urls, REDIS_URL=redis_url)
    settings = {"TRIAL_DAYS": "0", "WELCOME_CREDITS": str(WELCOME_CREDITS), "WORKOUT_COST": str(WORKOUT_COST)}
    settings |= {"FEED_RATE": "", **more}  # every event one by one, however many there are
    async with (
        Fleet(env, folder, settings=settings) as fleet,
        httpx2.AsyncClient(timeout=REQUEST_S, limits=httpx2.Limits(max_connections=people)) as client,
    ):
        base_url = fleet.api.http().rstrip("/")
        crowd = [Person(base_url, client) for _ in range(people)]
        await asyncio.gather(*(person.sign_up() for person in crowd))
        yield Scene(fleet, database, crowd, await exercise_ids(base_url, client))


@contextlib.asynccontextmanager
async def watching(watchers: Sequence[Watcher]) -> AsyncIterator[None]:
    """Runs the watchers; the block starts when each of them has joined."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watcher.watch()) for watcher in watchers]
        try:
            async with asyncio.timeout(JOIN_S):
                for watcher in watchers:
                    await watcher.joined.wait()
            yield
        finally:
            for task in tasks:
                task.cancel()
