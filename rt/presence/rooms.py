"""Who is in the channels of other apps, where an app wants that known: in no count and on no map of ours.

A gateway process says of its own members that they are here, and again every APP_PRESENT_AGAIN_S; each call takes away
whoever is over, whoever wrote them, so that the members of a gateway that is gone end for those who are left. Whoever
is asked by the app does the same first.
"""

import asyncio
import time
from collections import deque
from typing import Final, Literal

import msgspec
import structlog

from config.limits import (
    APP_PRESENT_AGAIN_S,
    APP_PRESENT_S,
    APP_PRESENT_SHOWN_MAX,
    PRESENCE_CLOSE_GRACE_S,
    PRESENCE_SCRIPT_MEMBERS_MAX,
)
from config.process import set_within
from config.redis import AWAY, Call, RedisClient, load_script
from rt.wire.channels import Channel, bus_channel, tag

log = structlog.get_logger()

ROOMS_TICK_S: Final = 0.25

_ROOM: Final = load_script(__file__, "room")
_OVER_LATE_S: Final = 0.05  # a closed member is looked at when it surely is over

State = Literal["here", "closing", "gone"]


class Present(msgspec.Struct, frozen=True):
    """Who is in a channel: how many users, and some of them."""

    count: int
    users: list[str]


class Rooms:
    """The members of one gateway process. What clients do is synchronous and O(1); `run` writes it."""

    def __init__(self, redis: RedisClient) -> None:
        self.failures = 0
        self._redis = redis
        self._here: dict[Channel, dict[str, str]] = {}  # connection -> user
        self._changed: dict[Channel, dict[str, tuple[State, str]]] = {}
        self._look_at: deque[tuple[float, Channel]] = deque()  # when somebody who has closed is over, the next first
        self._again_at = 0.0

    def enter(self, channel: Channel, connection: str, user: str) -> None:
        """A user of the app reads the channel by this connection."""
        members = self._here.setdefault(channel, {})
        if connection not in members:
            members[connection] = user
            self._change(channel, connection, "here", user)

    def leave(self, channel: Channel, connection: str) -> None:
        """It reads it no more."""
        self._end(channel, connection, "gone")

    def close(self, channel: Channel, connection: str) -> None:
        """Its socket has closed: it counts for PRESENCE_CLOSE_GRACE_S more, unless the user comes back."""
        self._end(channel, connection, "closing")

    async def run(self, stopping: asyncio.Event) -> None:
        """Writes what has changed until `stopping`, and then the rest; while Redis is away, it waits here."""
        while not stopping.is_set():
            await self.turn()
            await set_within(stopping, ROOMS_TICK_S)
        await self.turn()

    async def turn(self) -> None:
        """One tick; never raises for a Redis that is away."""
        now = time.monotonic()
        if now >= self._again_at:
            self._again_at = now + APP_PRESENT_AGAIN_S
            for channel, members in self._here.items():
                changed = self._changed.setdefault(channel, {})
                for connection, user in members.items():
                    changed.setdefault(connection, ("here", user))
        while self._look_at and self._look_at[0][0] <= now:
            self._changed.setdefault(self._look_at.popleft()[1], {})
        changes, self._changed = self._changed, {}
        if not changes:
            return
        try:
            calls = [(channel, call) for channel, some in changes.items() for call in _calls(channel, some)]
            told = await _ROOM.many(self._redis, [call for _, call in calls])
        except AWAY as error:
            self.failures += 1
            log.warning("rooms_unavailable", error=type(error).__name__)
            for channel, some in changes.items():  # a newer word on a connection holds
                self._changed[channel] = some | self._changed.get(channel, {})
            return
        for (channel, _), more in zip(calls, told, strict=True):
            if more:
                self._changed.setdefault(channel, {})  # the next turn looks again
        over_at = time.monotonic() + PRESENCE_CLOSE_GRACE_S + _OVER_LATE_S  # no earlier than by Redis' own clock
        closing = [
            channel for channel, some in changes.items() if any(state == "closing" for state, _ in some.values())
        ]
        self._look_at += [(over_at, channel) for channel in closing]

    def _end(self, channel: Channel, connection: str, state: State) -> None:
        members = self._here.get(channel, {})
        user = members.pop(connection, None)
        if user is None:
            return
        if not members:
            del self._here[channel]
        self._change(channel, connection, state, user)

    def _change(self, channel: Channel, connection: str, state: State, user: str) -> None:
        self._changed.setdefault(channel, {})[connection] = (state, user)


async def present(redis: RedisClient, channel: Channel) -> Present:
    """Who is in the channel now, APP_PRESENT_SHOWN_MAX users at most. Raises RedisError, OSError or TimeoutError."""
    while await _ROOM.many(redis, _calls(channel, {})) == [1]:
        pass  # a thousand were over, and more may be
    _, users = _keys(channel)
    pipe = redis.pipeline(transaction=False)
    pipe.zcard(users)
    pipe.zrange(users, 0, APP_PRESENT_SHOWN_MAX - 1)
    count, names = await pipe.execute()
    return Present(count, sorted(name.decode() for name in names))


def _keys(channel: Channel) -> list[str]:
    return [f"app:{{{tag(channel)}}}:members", f"app:{{{tag(channel)}}}:users"]


def _calls(channel: Channel, changes: dict[str, tuple[State, str]]) -> list[Call]:
    """A call for each PRESENCE_SCRIPT_MEMBERS_MAX changes, one at least."""
    fixed = [bus_channel(channel), APP_PRESENT_S * 1_000, PRESENCE_CLOSE_GRACE_S * 1_000]
    words = [(state, user, connection) for connection, (state, user) in changes.items()]
    parts = range(0, max(1, len(words)), PRESENCE_SCRIPT_MEMBERS_MAX)
    return [
        (_keys(channel), [*fixed, *(word for some in words[at : at + PRESENCE_SCRIPT_MEMBERS_MAX] for word in some)])
        for at in parts
    ]
