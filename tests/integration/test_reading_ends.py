"""Who may read a profile's channel may change, over real processes: subscriptions end, and nothing opens them again.

The tests share the processes: each has people of its own, and leaves Redis and both gateways running.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from config.limits import FACTS_EVERY_S, REVOCATIONS_EVERY_S
from config.redis import connect as connect_redis
from config.settings import Settings
from rt.presence.read import here
from rt.wire.bus import ENDED_KEY, JWKS_KEY
from tests.support.cluster import Cluster, make_cluster, socket
from tests.support.gateway import Talk, until
from tests.support.graphql_ws import Live
from tests.support.people import Person, exercise_ids
from tests.support.processes import Service
from tests.support.sse import Stream, streaming
from tests.support.stores import Database, TestStores

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

TOKEN = "query T($channel: String!) { channelToken(channel: $channel) { token expiresAt } }"
HEARS = "subscription H($user: ID!) { profileFeed(userId: $user) { id } }"
DELETE = "mutation D($password: String!) { deleteMyAccount(password: $password) }"
STATE = "query S($id: ID!) { user(id: $id) { presence { state } } }"


@pytest.fixture(scope="module")
def shared_database(stores: TestStores) -> Iterator[Database]:
    made = stores.make_database()
    yield made
    stores.drop_database(made)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(
    stores: TestStores, shared_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cluster]:
    redis = connect_redis(stores.redis_url)
    await redis.flushall()
    await redis.aclose()
    async with make_cluster(shared_database, stores.redis_url, tmp_path_factory.mktemp("cluster")) as made:
        yield made


async def does(person: Person, what: str, **arguments: str) -> None:
    """One mutation, by its name."""
    given = ", ".join(
        f'{name}: "{value}"' if name == "userId" else f"{name}: {value}" for name, value in arguments.items()
    )
    await person.graphql(f"mutation {{ {what}({given}) {'' if 'block' in what else '{ id }'} }}")


async def token_for(reader: Person, owner: Person) -> str:
    """A fresh channel token."""
    found = await reader.graphql(TOKEN, channel=f"profile:{owner.id}")
    return str(found["channelToken"]["token"])


class Reader:
    """Somebody's socket that hears a profile."""

    def __init__(self, talk: Talk, owner: Person, token: str) -> None:
        self.talk = talk
        self.channel = f"profile:{owner.id}"
        self.token = token
        self.ticket = ""

    async def begin(self, person: Person) -> dict[str, Any]:
        """Connects and subscribes; the answer."""
        self.ticket = (await self.talk.ask("connect", token=person.token))["resume"]
        return await self.again()

    async def again(self) -> dict[str, Any]:
        """Subscribes with the token of before, until the gateway knows what to answer."""
        return await self.talk.subscribe(self.channel, token=self.token)

    async def ended(self, within_s: float) -> None:
        """Hears that it has lost the channel, and that the token of before opens nothing."""
        began = time.monotonic()
        message = await self.talk.hear("unsubscribed")
        assert (message["channel"], message["reason"]) == (self.channel, "not_allowed")
        assert time.monotonic() - began < within_s
        await self.closed_for_good()

    async def closed_for_good(self) -> None:
        """The token of before opens nothing."""
        assert (await self.again())["code"] == "FORBIDDEN"


async def test_what_ends_and_what_does_not(cluster: Cluster) -> None:
    """Unfollow, block and a stricter audience, on both gateways, within 2 s. Seen failing with tokens of a follower who
    is back that were refused."""
    ann, bob, cat = await cluster.person(), await cluster.person(), await cluster.person()
    first, second = cluster.gateways
    exercise = (await exercise_ids(cluster.fleet.api.http("").rstrip("/"), cluster.client))[0]
    await does(cat, "follow", userId=ann.id)

    async with socket(first) as one, socket(second) as two, socket(first) as three, socket(first) as four:
        kept, own = Reader(three, ann, await token_for(cat, ann)), Reader(four, ann, await token_for(ann, ann))
        assert (await kept.begin(cat))["type"] == (await own.begin(ann))["type"] == "subscribed"

        async def loses(how: Callable[[], Awaitable[None]]) -> None:
            await does(bob, "follow", userId=ann.id)
            token = await token_for(bob, ann)
            readers = [Reader(one, ann, token), Reader(two, ann, token)]
            for reader in readers:
                assert (await reader.again())["type"] == "subscribed"
            await how()
            await asyncio.gather(*(reader.ended(2) for reader in readers))
            await ann.log_workout(exercise)
            assert (await kept.talk.hear("event", "unsubscribed"))["type"] == "event"

        ticket = (await one.ask("connect", token=bob.token))["resume"]
        await two.ask("connect", resume=ticket)
        await loses(lambda: does(bob, "unfollow", userId=ann.id))
        await loses(lambda: does(ann, "block", userId=bob.id))
        await does(ann, "unblock", userId=bob.id)
        await loses(lambda: does(bob, "block", userId=ann.id))
        await does(bob, "unblock", userId=ann.id)

        await does(ann, "setAudience", audience="FOLLOWERS")
        await ann.log_workout(exercise)
        assert (await kept.talk.hear("event", "unsubscribed"))["type"] == "event"  # followers go on
        await does(ann, "setAudience", audience="NOBODY")
        await kept.ended(2)
        assert (await own.talk.ask("ping"))["type"] == "pong"
        assert (await own.again())["type"] == "subscribed"  # never its owner

        # A ticket brings the person back, and no channel.
        async with socket(second) as later:
            assert (await later.ask("connect", resume=kept.ticket))["user"] == cat.id
            back = Reader(later, ann, kept.token)
            await back.closed_for_good()
            await does(ann, "setAudience", audience="EVERYONE")
            await back.closed_for_good()
            back.token = await token_for(cat, ann)  # who may read again needs a new one
            assert (await back.again())["type"] == "subscribed"


class Wires:
    """A profile as somebody hears it over the other wires: one subscription of GraphQL, and two streams, of which one
    says who reads, and the other shows a channel token alone."""

    def __init__(self, gateways: tuple[Service, Service], talk: Live, reader: Person, owner: Person) -> None:
        self.talk = talk
        self._gateways = gateways
        self._reader = reader
        self._owner = owner
        self._token = ""

    async def begin(self, stack: AsyncExitStack) -> tuple[Stream, ...]:
        """With a token of now."""
        self._token = await token_for(self._reader, self._owner)
        await self._subscribe()
        await self.talk.quiet()
        return tuple([await stack.enter_async_context(stream) for stream in self._streams()])

    async def ended(self, streams: tuple[Stream, ...], why: str = "not_allowed") -> None:
        """All within 2 s, and the token of before opens nothing; behind the `error` nothing is said."""
        async with asyncio.timeout(2):
            message, *_ = await asyncio.gather(self.talk.hear("error"), *(stream.rest() for stream in streams))
        said = message["payload"][0]["extensions"]
        assert (message["id"], said["code"], said["reason"]) == ("1", "FORBIDDEN", why)
        assert [stream.heard.comments[-1] for stream in streams] == [why, why]
        await self.talk.quiet()
        await self._subscribe()
        message = await self.talk.hear()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "FORBIDDEN")
        await self.talk.quiet()
        for stream in self._streams():
            async with stream as again:
                assert again.error == (403, "FORBIDDEN")

    async def _subscribe(self) -> None:
        await self.talk.subscribe("1", HEARS, {"token": self._token}, user=self._owner.id)

    def _streams(self) -> tuple[AbstractAsyncContextManager[Stream], ...]:
        first, second = self._gateways
        query = f"channel=profile:{self._owner.id}&token={self._token}"
        signed = streaming(first.port, query, Authorization=f"Bearer {self._reader.token}")
        return signed, streaming(second.port, query)


async def test_what_ends_a_socket_ends_every_other_wire(cluster: Cluster) -> None:
    """The same mutations, to subscriptions of GraphQL and to streams. Who may go on does, and signing out ends all.

    Seen failing with a session of GraphQL that knew channels by their names, with a stream that was silent from then
    on, with a `complete` behind the `error`, and with a channel's token that outlived the session it was given to."""
    ann, bob, cat = await cluster.person(), await cluster.person(), await cluster.person()
    first, second = cluster.gateways
    exercise = (await exercise_ids(cluster.fleet.api.http("").rstrip("/"), cluster.client))[0]
    async with AsyncExitStack() as stack:
        his, hers = [await stack.enter_async_context(acknowledged(first, one)) for one in (bob, cat)]
        wires, kept = Wires(cluster.gateways, his, bob, ann), Wires((second, first), hers, cat, ann)
        await does(cat, "follow", userId=ann.id)
        others = await kept.begin(stack)

        async def loses(how: Callable[[], Awaitable[Any]]) -> None:
            await does(bob, "follow", userId=ann.id)
            streams = await wires.begin(stack)
            await how()
            await wires.ended(streams)
            await goes_on()

        async def goes_on() -> None:
            await ann.log_workout(exercise)
            assert (await hers.hear("next", "error"))["type"] == "next"
            for stream in others:
                assert (await stream.next()).kind == "event"

        await loses(lambda: does(bob, "unfollow", userId=ann.id))
        await loses(lambda: does(ann, "block", userId=bob.id))
        await does(ann, "unblock", userId=bob.id)
        await does(ann, "setAudience", audience="FOLLOWERS")
        await goes_on()
        await does(ann, "setAudience", audience="NOBODY")
        await kept.ended(others)
        await does(ann, "setAudience", audience="EVERYONE")

        await does(bob, "follow", userId=ann.id)
        streams = await wires.begin(stack)
        await ann.graphql(DELETE, password=ann.password)
        await wires.ended(streams)

        await does(bob, "follow", userId=cat.id)
        mine: list[tuple[str, dict[str, str]]] = [
            (f"channel=user:{bob.id}", {"Authorization": f"Bearer {bob.token}"}),
            (f"channel=profile:{cat.id}&token={await token_for(bob, cat)}", {}),
        ]
        his_own = [await stack.enter_async_context(streaming(second.port, query, **who)) for query, who in mine]
        await cluster.sign_out(bob)
        async with asyncio.timeout(2):
            assert await his.closed() == (4503, "session revoked")
            assert [await stream.rest() for stream in his_own] == [[], []]
        assert [stream.heard.comments[-1] for stream in his_own] == ["session revoked"] * 2
        for query, who in mine:
            async with streaming(second.port, query, **who) as again:
                assert again.error == (401, "UNAUTHENTICATED")


@asynccontextmanager
async def acknowledged(gateway: Service, person: Person) -> AsyncIterator[Live]:
    """A socket of GraphQL's subscriptions."""
    url = f"ws://127.0.0.1:{gateway.port}/api/graphql/ws"
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as made:
        talk = Live(made)
        await talk.say("connection_init", payload={"authorization": f"Bearer {person.token}"})
        assert await talk.hear() == {"type": "connection_ack"}
        yield talk


async def test_nothing_opens_again_whatever_happens_to_redis(cluster: Cluster, stores: TestStores) -> None:
    """Away at the moment; wiped in between; a gateway that starts later. Seen failing with a gateway that trusts
    channel tokens before it knows which are void, and with a comparison that looks back no further than now."""
    ann, bob, cat = await cluster.person(), await cluster.person(), await cluster.person()
    first, second = cluster.gateways
    for person in (bob, cat):
        await does(person, "follow", userId=ann.id)
    tokens = {person.id: await token_for(person, ann) for person in (bob, cat)}

    async with socket(first) as one, socket(second) as two, socket(first) as three:
        gone, other, kept = (
            Reader(one, ann, tokens[bob.id]),
            Reader(two, ann, tokens[bob.id]),
            Reader(three, ann, tokens[cat.id]),
        )
        for reader, person in ((gone, bob), (other, bob), (kept, cat)):
            assert (await reader.begin(person))["type"] == "subscribed"
        await cluster.lose_redis()
        began = time.monotonic()
        await does(bob, "unfollow", userId=ann.id)
        assert time.monotonic() - began < 2  # nobody waits for Redis
        cluster.proxy.refuse = False
        await asyncio.gather(*(one.ended(REVOCATIONS_EVERY_S + FACTS_EVERY_S[1] + 3) for one in (gone, other)))
        assert (await kept.again())["type"] == "subscribed"

        # Wiped: those who know go on knowing.
        redis = connect_redis(stores.redis_url)
        await redis.flushall()
        for reader in (gone, other):
            await reader.closed_for_good()

        # Wiped, and nobody who could fill it again: a gateway that starts now trusts no channel token until it is told.
        await second.stop()
        await until(lambda: _is_filled(redis))
        await until(lambda: redis.exists(JWKS_KEY))
        os.kill(cluster.fleet.api.pid, signal.SIGSTOP)
        try:
            await redis.delete(ENDED_KEY)
            await second.start()
            async with socket(second) as later:
                assert (await later.ask("connect", token=bob.token))["user"] == bob.id
                answer = await later.ask("subscribe", channel=gone.channel, token=gone.token)
                assert answer["code"] == "UNAVAILABLE"
        finally:
            os.kill(cluster.fleet.api.pid, signal.SIGCONT)
        await until(lambda: _is_filled(redis))
        async with socket(second) as later, socket(second) as again:
            assert (await Reader(later, ann, tokens[bob.id]).begin(bob))["code"] == "FORBIDDEN"
            assert (await Reader(again, ann, tokens[cat.id]).begin(cat))["type"] == "subscribed"
        await redis.aclose()


async def _is_filled(redis: Any) -> bool:
    return bool(await redis.zcard(ENDED_KEY) > 1)


async def test_presence_is_for_those_whom_its_owner_lets_know(cluster: Cluster, stores: TestStores) -> None:
    """On the channel and in GraphQL, while one is connected, and on a gateway that hears a token of before. Seen
    failing with the token's word for the life of the socket."""
    ann, bob, eve = await cluster.person(), await cluster.person(), await cluster.person()
    first, second = cluster.gateways
    redis = connect_redis(stores.redis_url)
    await does(bob, "follow", userId=ann.id)

    async def counts_as(audience: str) -> None:
        """For the map and the totals, too."""

        async def is_so() -> bool:
            (found,) = await here(redis, [ann.id], Settings().presence_partitions)
            return found is not None and found.audience == audience

        await until(is_so)

    async def seen(by: Person) -> Any:
        return (await by.graphql(STATE, id=ann.id))["user"]["presence"]

    async def shows(by: Person, state: str | None) -> None:
        await until(lambda: _equals(seen(by), None if state is None else {"state": state}))

    async with socket(first) as hers, socket(second) as his:
        reader = Reader(his, ann, await token_for(bob, ann))
        await reader.begin(bob)
        ticket = (await hers.ask("connect", token=ann.token))["resume"]
        assert (await his.hear("presence"))["state"] == "online"
        for viewer in (bob, eve):
            await shows(viewer, "ONLINE")
        await hers.ask("heartbeat", status="training")
        assert (await his.hear("presence"))["state"] == "training"
        await shows(eve, "TRAINING")

        await does(ann, "setAudience", audience="FOLLOWERS")
        await shows(bob, "TRAINING")
        await shows(eve, None)
        await counts_as("followers")
        await hers.ask("heartbeat", audience="nobody")
        assert (await his.hear("presence"))["state"] == "offline"
        await shows(bob, "OFFLINE")
        await hers.ask("heartbeat", audience="everyone")  # widens nothing
        assert (await his.hear("presence"))["state"] == "training"
        await shows(eve, None)
        await does(ann, "setAudience", audience="NOBODY")
        await reader.ended(2)
        await does(ann, "setAudience", audience="EVERYONE")
        await shows(eve, "TRAINING")
        await counts_as("everyone")

        # A socket that brings a ticket, or a token, of before.
        await does(ann, "setAudience", audience="FOLLOWERS")
        await hers.ask("heartbeat", status="browsing")
        await hers.say("leave")
        await shows(bob, "OFFLINE")
        for connect in ({"resume": ticket}, {"token": ann.token}):
            async with socket(second) as later:
                assert (await later.ask("connect", **connect))["user"] == ann.id
                await shows(bob, "ONLINE")
                await shows(eve, None)
                await counts_as("followers")
                await later.say("leave")
            await shows(bob, "OFFLINE")
    await redis.aclose()


async def _equals(found: Awaitable[Any], wanted: Any) -> bool:
    return bool(await found == wanted)
