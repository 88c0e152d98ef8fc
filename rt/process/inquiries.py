"""Answers what operators ask of this process (rt/wire/inquiry.py), one inquiry after another, in turns of the loop."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from heapq import nlargest
from time import monotonic
from typing import Final

import structlog

from config.limits import (
    ANSWERS_KEPT_S,
    INQUIRIES_WAITING_MAX,
    INQUIRY_CHANNELS_MAX,
    INQUIRY_SLOW_MAX,
    INQUIRY_SOCKETS_MAX,
    INQUIRY_STEPS_PER_TURN,
)
from config.redis import AWAY, RedisClient
from rt.channels.topic import Topic
from rt.clients.client import Client
from rt.clients.events import EventStream
from rt.clients.gateway import Gateway
from rt.clients.graphql_client import GraphqlClient
from rt.metrics import Condition
from rt.wire.inquiry import Answer, Ended, Hot, Inquiry, Place, Seat, Slow, answers_key, decode_inquiry, encode

log = structlog.get_logger()

__all__ = ["Inquiries"]

_RATE_S: Final = 60.0  # offsets of an inquiry that was longer ago say nothing about now
_SESSION_CHARS: Final = 8  # of a session's id: enough to tell two apart


class Inquiries:
    """See the module. `look` is what the process says of itself: its condition and figures."""

    def __init__(
        self,
        gateway: Gateway,
        redis: RedisClient,
        gateway_id: str,
        look: Callable[[], tuple[Condition, dict[str, int]]],
    ) -> None:
        self._gateway = gateway
        self._redis = redis
        self._id = gateway_id
        self._look = look
        self._waiting: deque[Inquiry] = deque(maxlen=INQUIRIES_WAITING_MAX)  # the oldest give way: nobody waits so long
        self._due = asyncio.Event()
        self._offsets: dict[str, int] = {}  # of each channel at the inquiry before, ...
        self._looked_at = 0.0  # ... at this time, steady clock

    def on_message(self, payload: bytes) -> None:
        """An inquiry; what is none is ignored."""
        inquiry = decode_inquiry(payload)
        if inquiry is not None:
            self._waiting.append(inquiry)
            self._due.set()

    async def run(self) -> None:
        """Answers for as long as the process lives; while Redis is away nobody hears it."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                inquiry = self._waiting.popleft()
                answer = encode(await self._answer(inquiry))
                pipe = self._redis.pipeline(transaction=False)
                pipe.rpush(answers_key(inquiry.id), answer)
                pipe.expire(answers_key(inquiry.id), ANSWERS_KEPT_S)
                try:
                    await pipe.execute()
                except AWAY as error:
                    self._gateway.counters.failures += 1
                    log.warning("inquiry_not_answered", error=type(error).__name__)

    async def _answer(self, inquiry: Inquiry) -> Answer:
        gateway, now = self._gateway, monotonic()
        condition, figures = self._look()
        farewells = gateway.farewells
        return Answer(
            self._id,
            os.getpid(),
            condition.reasons(),
            figures,
            await self._hot(now),
            list(self._slow()),
            farewells.counts(now),
            [] if not inquiry.user else await self._seats(inquiry),
            [
                Ended(one.session[:_SESSION_CHARS], round(now - one.at, 1), one.why)
                for one, _ in zip(farewells.of(inquiry.user, now), range(INQUIRY_SOCKETS_MAX), strict=False)
            ],
        )

    async def _hot(self, now: float) -> list[Hot]:
        """The channels with the most deliveries a second, then with the most readers."""
        passed_s = now - self._looked_at
        before = self._offsets if passed_s < _RATE_S else {}
        found, offsets = [], {}
        for number, topic in enumerate(list(self._gateway.hub.topics.values()), 1):
            offset = offsets[topic.wire] = topic.offset
            rate = max(0, offset - before.get(topic.wire, offset)) / passed_s
            found.append((rate * len(topic.out.readers), len(topic.out.readers), topic.wire, offset, rate))
            if number % INQUIRY_STEPS_PER_TURN == 0:
                await asyncio.sleep(0)
        self._offsets, self._looked_at = offsets, now
        return [
            Hot(wire, readers, offset, round(rate, 2))
            for _, readers, wire, offset, rate in nlargest(INQUIRY_CHANNELS_MAX, found)
        ]

    def _slow(self) -> Iterator[Slow]:
        behind = [one for one in self._gateway.slow if isinstance(one, Client)]
        for client in nlargest(INQUIRY_SLOW_MAX, behind, key=_unread):
            yield Slow(_user(client), _protocol(client), _unread(client))

    async def _seats(self, inquiry: Inquiry) -> list[Seat]:
        """Each socket of the user with each place."""
        if not self._gateway.facts.sockets_by_user.get(inquiry.user):
            return []
        found: list[Seat] = []
        for number, client in enumerate(list(self._gateway.clients), 1):
            if isinstance(client, Client) and _user(client) == inquiry.user and len(found) < INQUIRY_SOCKETS_MAX:
                found += [self._seat(client, place) for place in inquiry.places]
            if number % INQUIRY_STEPS_PER_TURN == 0:
                await asyncio.sleep(0)
        return found

    def _seat(self, client: Client, place: Place) -> Seat:
        session = client.session
        silent_s = 0.0 if session is None else self._gateway.awake.now() - session.heard_at
        seat = Seat(
            "" if session is None else session.id[:_SESSION_CHARS],
            _protocol(client),
            round(silent_s, 1),
            _unread(client),
            place,
            "none",
        )
        topic = self._gateway.hub.topics.get(place.channel)
        return seat if topic is None else _seated(seat, client, topic)


def _seated(seat: Seat, client: Client, topic: Topic) -> Seat:
    """Where in the stream it sits: by the best of its operations."""
    state, joined = "none", 0
    for reader in client.readers_of(topic.wire):
        if reader in topic.out.readers:
            state, joined = "live", topic.out.readers[reader]
            break
        if topic.asks.recovers_by(reader) is not None:
            state = "recovering"
        elif reader in topic.asks.readers and state == "none":
            state = "joining"
    offset = seat.place.offset
    return Seat(
        seat.session,
        seat.protocol,
        seat.silent_s,
        seat.unread,
        seat.place,
        state,
        joined,
        topic.offset,
        offset <= topic.out.written_offset,
        topic.out.digested(offset),
    )


def _user(client: Client) -> str:
    access = client.session.access if client.session is not None else None
    return "" if access is None else access.user


def _unread(client: Client) -> int:
    return client.transport.get_write_buffer_size() if client.transport is not None else 0


def _protocol(client: Client) -> str:
    match client:
        case GraphqlClient():
            return "graphql-transport-ws"
        case EventStream():
            return "server-sent events"
        case _:
            return "websocket"
