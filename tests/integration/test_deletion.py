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


async def followed(owner: asyncpg.Connection, one: Person, other: Person) -> None:
    """As following writes it, with its counts."""
    await owner.execute(
        "INSERT INTO follows VALUES ($1, $2, 'following', now())", uuid.UUID(one.id), uuid.UUID(other.id)
    )
    for person, followers, following in ((one, 0, 1), (other, 1, 0)):
        await owner.execute(
            "INSERT INTO follow_counts AS c VALUES ($1, $2, $3) ON CONFLICT (user_id) DO UPDATE"
            " SET followers = c.followers + $2, following = c.following + $3",
            *(uuid.UUID(person.id), followers, following),
        )


async def told_of(owner: asyncpg.Connection, reader: Person, about: Person) -> None:
    """An event on a dashboard that tells of somebody else."""
    channel = f"user:{reader.id}"
    offset = await owner.fetchval(
        "INSERT INTO feed_channels (namespace, channel, last_offset) VALUES ('musclemap', $1, 1)"
        " ON CONFLICT (namespace, channel) DO UPDATE SET last_offset = feed_channels.last_offset + 1"
        " RETURNING last_offset",
        channel,
    )
    await owner.execute(
        'INSERT INTO feed_positions (namespace, channel, "offset", event_id, event_at, body)'
        " VALUES ('musclemap', $1, $2, $3, now(), json_build_object('id', $3::uuid, 'v', 1, 'type', 'followed',"
        " 'created_at', now(), 'actor', json_build_object('id', $4::text, 'name', $5::text),"
        " 'data', json_build_object('v', 1, 'user', json_build_object('id', $4::text, 'name', $5::text))))",
        *(channel, offset, uuid.uuid4(), about.id, about.name),
    )


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
    bob, ann = await joined(fleet, client, "Bob"), await joined(fleet, client, NAME)
    exercise = (await exercise_ids(fleet.api.http("").rstrip("/"), client))[0]
    async with connection(database.owner_url) as owner, socket(fleet) as talk:
        for one, other in ((ann, bob), (bob, ann)):
            await followed(owner, one, other)
        await told_of(owner, bob, ann)
        welcome = await talk.ask("connect", token=ann.token)
        await talk.ask("subscribe", channel=f"user:{ann.id}")
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
        assert community == 1

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
        assert await owner.fetch("SELECT user_id, followers, following FROM follow_counts") == [
            (uuid.UUID(bob.id), 0, 0)
        ]

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
        assert await owner.fetchval("SELECT bool_and(user_id = $1) FROM workout_exercises", account)
        assert await owner.fetchval("SELECT bool_and(user_id = $1) FROM workout_muscles", account)
        assert await owner.fetchval("SELECT count(*) FROM stream_positions WHERE channel = 'community'") == community
        assert await owner.fetchval("SELECT credits FROM credit_balances WHERE account_id = $1", account) == 100
        assert await audit(owner) == []
        anew = await Person(ann.base_url, client, email=ann.email, name="Somebody else").sign_up()
        assert anew.id != ann.id


async def _is_forgotten(redis_url: str, user: str) -> bool:
    return not await in_redis(redis_url, user)


async def _knows_place(redis_url: str, user: str) -> bool:
    return any(":place:" in key for key in await in_redis(redis_url, user))
