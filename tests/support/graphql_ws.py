"""A client of subscriptions that says and hears one message at a time, over the plain `websockets` client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from rt.feed.store import FeedStore
from rt.wire.channels import Channel
from tests.support.gateway import ANSWER_S, EPOCH, Feeds, Gateway

EVENT = "{ id type createdAt actor { id name } data cursor }"
COMMUNITY = f"subscription {{ communityFeed {EVENT} }}"


def event(number: int, **more: Any) -> dict[str, Any]:
    """One whole event, as every channel has them."""
    actor = {"id": "u2", "name": "Ann"}
    return {"id": f"e{number}", "v": 1, "type": "t", "created_at": "2026-11-21T10:11:00Z", "actor": actor} | {
        "data": {"v": 1, "n": number},
        **more,
    }


async def publish(feeds: Feeds, channel: Channel, count: int = 1, **more: Any) -> None:
    """The next events of a channel, whole ones."""
    bodies = feeds.bodies.setdefault(channel, [])
    first = len(bodies) + 1
    new = [json.dumps(event(first + n, **more)).encode() for n in range(count)]
    bodies += new
    store: FeedStore = feeds.store
    assert await store.append(channel, EPOCH, first, new) is None


class Live:
    """One socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def subscribe(self, name: str, query: str = COMMUNITY, extensions: Any = None, **variables: Any) -> None:
        payload = {"query": query, "variables": variables, "extensions": extensions}
        await self.say("subscribe", id=name, payload=payload)

    async def hear(self, *kinds: str) -> dict[str, Any]:
        """The next message, or the next of these types."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                message: dict[str, Any] = json.loads(await self.socket.recv())
                if not kinds or message["type"] in kinds:
                    return message

    async def hear_next(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """The next payloads, which must all be of this operation."""
        found = []
        for _ in range(count):
            message = await self.hear()
            assert (message["type"], message["id"]) == ("next", name), message
            found.append(message["payload"])
        return found

    async def quiet(self) -> None:
        """Nothing else has been said up to now."""
        await self.say("ping")
        assert await self.hear() == {"type": "pong"}

    async def closed(self) -> tuple[int, str] | None:
        """Hears until the end; what the close frame says, None without one."""
        async with asyncio.timeout(ANSWER_S):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed as end:
                return (end.rcvd.code, end.rcvd.reason) if end.rcvd else None


def offsets(payloads: list[dict[str, Any]]) -> list[int]:
    return [payload["extensions"]["position"]["offset"] for payload in payloads]


def graphql_url(gate: Gateway) -> str:
    return gate.fleet.ws_url.replace("/ws", "/api/graphql/ws")


@asynccontextmanager
async def opened(gate: Gateway, **options: Any) -> AsyncIterator[Live]:
    """An open socket that has said nothing yet."""
    options.setdefault("subprotocols", ["graphql-transport-ws"])
    async with connect(graphql_url(gate), proxy=None, **options) as socket:
        yield Live(socket)


@asynccontextmanager
async def live(gate: Gateway, user: str | None = None, **options: Any) -> AsyncIterator[Live]:
    """One that has been acknowledged."""
    async with opened(gate, **options) as talk:
        payload = None if user is None else {"authorization": f"Bearer {gate.mint.access(user)}"}
        await talk.say("connection_init", payload=payload)
        assert await talk.hear() == {"type": "connection_ack"}
        yield talk
