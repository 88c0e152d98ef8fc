"""An account that ends: nothing of who it was is left anywhere, whatever happens meanwhile, and the books balance."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import httpx2
import pytest
from websockets.asyncio.client import connect

from tests.support.gateway import Talk, until
from tests.support.ledger import connection
from tests.support.people import LOG_WORKOUT, Person, RefusedError, exercise_ids, workout_variables
from tests.support.processes import Fleet
from tests.support.stores import Database
from tests.support.traces import in_logs, in_redis, in_tables
from worker.books.audit import audit

pytestmark = pytest.mark.timeout(120)

DASHBOARD: Final = "{ dashboard(first: 50) { edges { node { id type actor { id name } data } } } }"
DELETE: Final = "mutation Delete($password: String!) { deleteMyAccount(password: $password) }"
NAME: Final = "Wilhelmina Unmistakable"
NOTE: Final = "felt like a hippopotamus"
KEY: Final = "my-own-words-as-a-key"
# What refuses the tokens of sessions that ended, until the last of them is over: ids that lead to nobody.
KNOWS_SESSIONS: Final = ({"ended_sessions"}, {"auth:revoked"})


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=30) as made:
        yield made


async def joined(fleet: Fleet, client: httpx2.AsyncClient, name: str = "Ada") -> Person:
    client.cookies.clear()
    return await Person(fleet.api.http("").rstrip("/"), client, name=name).sign_up()


async def log_workout(person: Person, exercise: str, **changes: Any) -> dict[str, Any]:
    variables = workout_variables(exercise, changes.pop("key", str(uuid.uuid4())), 10)
    variables["input"] |= changes
    payload: dict[str, Any] = (await person.graphql(LOG_WORKOUT, **variables))["logWorkout"]
    return payload


async def does(person: Person, what: str, **arguments: str) -> dict[str, Any]:
    """One mutation, by its name, of somebody or something by its id."""
    given = ", ".join(f'{name}: "{value}"' for name, value in arguments.items())
    return await person.graphql(f"mutation {{ {what}({given}) {{ __typename }} }}")


async def heard(reader: Person, *types: str) -> list[dict[str, Any]]:
    """What a dashboard has, the newest first, once it has all of these."""
    found: list[dict[str, Any]] = []

    async def all_there() -> bool:
        edges = (await reader.graphql(DASHBOARD))["dashboard"]["edges"]
        found[:] = [edge["node"] for edge in edges]
        return {one["type"] for one in found} >= set(types)

    await until(all_there)
    return found


async def meet(ann: Person, bob: Person, cat: Person, exercise: str) -> None:
    """Two follow each other, one asks to follow the third, and applauds the other: they hear of it."""
    await cat.graphql("mutation { setAudience(audience: FOLLOWERS) { id } }")
    for one, other in ((ann, bob), (bob, ann), (ann, cat)):
        await does(one, "follow", userId=other.id)
    await log_workout(bob, exercise)
    done = next(one for one in await heard(bob, "workout_completed") if one["type"] == "workout_completed")
    await does(ann, "sendHighFive", eventId=done["id"], idempotencyKey="k")
    await heard(bob, "followed", "high_five")
    await heard(cat, "follow_requested")
    await heard(ann, "followed")


async def hear_of_nobody(reader: Person, *types: str) -> None:
    """What they heard is there, and does not say who it was."""
    told = {one["type"]: one for one in await heard(reader, *types)}
    for kind in types:
        assert (told[kind]["actor"], "user" in told[kind]["data"]) == (None, False), kind


async def settled(owner: asyncpg.Connection) -> None:
    """Lets the time pass after which nobody has anything of the user at hand any more, and waits for the last look."""
    await owner.execute("SELECT refresh_leaderboards()")
    await owner.execute("UPDATE erasures SET at = at - interval '1 hour'; DELETE FROM ended_reads")
    await until(lambda: _none(owner), 30)


async def _none(owner: asyncpg.Connection) -> bool:
    return not await owner.fetchval("SELECT EXISTS (SELECT FROM erasures)")


@asynccontextmanager
async def socket(fleet: Fleet) -> AsyncIterator[Talk]:
    async with connect(fleet.ws_url, proxy=None) as made:
        yield Talk(made)


async def test_nothing_of_who_it_was_is_left(
    fleet: Fleet, database: Database, redis_url: str, client: httpx2.AsyncClient
) -> None:
    """Searched for in every table, in all of Redis and in the logs of all three roles, before and after.

    Seen failing with the notes left, with the keys left, without the feeds, without `place:` in Redis, with
    `user_registered` and its user, and with the events of others left as they were."""
    bob, cat, ann = [await joined(fleet, client, name) for name in ("Bob", "Cat", NAME)]
    exercise = (await exercise_ids(fleet.api.http("").rstrip("/"), client))[0]
    async with connection(database.owner_url) as owner, socket(fleet) as talk:
        await meet(ann, bob, cat, exercise)
        welcome = await talk.ask("connect", token=ann.token)
        await talk.subscribe(f"user:{ann.id}")
        await talk.ask("heartbeat", lat=52.5, lng=13.4, status="training")
        await log_workout(ann, exercise, note=NOTE, key=KEY)
        assert (await talk.hear("event"))["event"]["actor"]["name"] == NAME
        session = str(await owner.fetchval("SELECT id FROM sessions WHERE user_id = $1", uuid.UUID(ann.id)))
        account = await owner.fetchval("SELECT account_id FROM users WHERE id = $1", uuid.UUID(ann.id))
        words = {"name": NAME, "email": ann.email, "id": ann.id, "note": NOTE, "key": KEY, "session": session}

        async def found() -> dict[str, tuple[set[str], set[str]]]:
            return {what: (await in_tables(owner, w), await in_redis(redis_url, w)) for what, w in words.items()}

        await until(lambda: _knows_place(redis_url, ann.id))
        before = await found()
        assert {what for what, (tables, _) in before.items() if tables} == set(words)
        assert {"feed_positions", "users"} <= before["name"][0]
        assert {what for what, (_, keys) in before.items() if keys} >= {"name", "id", "note"}
        community = await owner.fetchval("SELECT count(*) FROM stream_positions WHERE channel = 'community'")
        assert community == 2  # and Bob's

        with pytest.raises(RefusedError) as wrong:
            await ann.graphql(DELETE, password="another horse battery")
        assert wrong.value.code == "FORBIDDEN"
        assert (await ann.graphql(DELETE, password=ann.password))["deleteMyAccount"] is True
        assert await talk.closed() == 4503
        with pytest.raises(RefusedError) as refused:
            await ann.graphql("{ me { id } }")
        assert refused.value.code == "UNAUTHENTICATED"
        async with socket(fleet) as again:
            await again.say("connect", resume=welcome["resume"])
            assert await again.closed() == 4503
        for path in ("login", "refresh"):  # the client has Ann's cookie
            password = {"email": ann.email, "password": ann.password}
            answer = await client.post(fleet.api.http(f"/api/v1/auth/{path}"), json=password)
            assert answer.status_code == 401, path
        await hear_of_nobody(bob, "followed", "high_five")
        await hear_of_nobody(cat, "follow_requested")
        assert await owner.fetchval("SELECT sum(followers + following + requested) FROM follow_counts") == 0
        assert await owner.fetchval("SELECT sum(high_fives) FROM high_five_counts") == 0

        await settled(owner)
        await until(lambda: _is_forgotten(redis_url, ann.id), 10)  # the last word of it
        after = await found()
        assert after.pop("session") == KNOWS_SESSIONS
        assert after == {what: (set(), set()) for what in after}
        logs = [service.log for service in fleet.services.values()]
        assert in_logs(logs, str(account))
        assert {what: in_logs(logs, word) for what, word in words.items()} == {what: set() for what in words}

        workout = await owner.fetchrow("SELECT user_id, note, charged FROM workouts WHERE account_id = $1", account)
        assert (workout["user_id"], workout["note"]) == (account, None)
        for table in ("workout_exercises", "workout_muscles"):  # nobody else's than Bob's and the pseudonym's
            whose = await owner.fetch(f"SELECT DISTINCT user_id FROM {table}")  # noqa: S608 - a name of ours
            assert {row["user_id"] for row in whose} == {account, uuid.UUID(bob.id)}
        assert await owner.fetchval("SELECT count(*) FROM stream_positions WHERE channel = 'community'") == community
        assert await owner.fetchval("SELECT credits FROM credit_balances WHERE account_id = $1", account) == 100
        assert await audit(owner) == []
        anew = await Person(ann.base_url, client, email=ann.email, name="Somebody else").sign_up()
        assert anew.id != ann.id


async def _is_forgotten(redis_url: str, user: str) -> bool:
    return not await in_redis(redis_url, user)


async def _knows_place(redis_url: str, user: str) -> bool:
    return any(":place:" in key for key in await in_redis(redis_url, user))
