"""One client of the gateway that speaks graphql-transport-ws: several operations on one socket, each by its id.

To channels and map each operation is a reader, or a viewer, like a socket of the other protocol; what they are told is
translated on its way out. Of one client one operation at a time is told what it missed; the others stand in line.
"""

import asyncio
from collections.abc import Hashable, Iterable
from typing import Any

from config.errors import ApiError
from rt.auth.tokens import Access
from rt.channels.asks import Reader
from rt.clients.client import Client
from rt.clients.effects import Effects, Finish, Follow, Look, Release
from rt.clients.gateway import Gateway
from rt.clients.graphql_session import GraphqlSession, error_of
from rt.clients.operations import Feed, Looker
from rt.clients.session import Session
from rt.graphql.projection import Projections, place_of
from rt.graphql.subscriptions import Subscriptions
from rt.map.geometry import View
from rt.sockets.connection import OPEN
from rt.wire import graphql
from rt.wire.closes import IN_GRAPHQL, Closing, GraphqlClosing
from rt.wire.inbound import Since

__all__ = ["GraphqlClient"]

# What the answers to a `subscribe` are called among the errors of the API.
_CODES = {"UNAVAILABLE": ("RETRY_LATER", 503), "RATE_LIMITED": ("RATE_LIMITED", 429)}


class GraphqlClient(Client):
    """See the module. It takes a socket over that has opened at its path."""

    __slots__ = ("_documents", "_line", "_operations", "_projections", "_recovering", "_written")

    def __init__(self, documents: Subscriptions, projections: Projections, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._documents = documents
        self._projections = projections
        self._operations: dict[str, Feed | Looker] = {}
        self._recovering: Feed | None = None  # is being told what it missed, or waits for that ...
        self._line: dict[Feed, None] = {}  # ... and these wait for it to end
        self._written = 0  # bytes of operations

    # --- what differs from the other protocol

    def _make_session(self, session_id: str, now: float) -> Session:
        return GraphqlSession(session_id, now, self._gateway.awake.now(), self._origin, self._documents)

    def _decode(self, payload: bytes | bytearray) -> Any:
        return graphql.decode(payload)

    def _appear(self, session: Session, access: Access, now: float) -> None:
        """Nobody is present by a socket that has no heartbeat."""

    def enter_rooms(self) -> None:
        """No operation is on a channel of an app."""

    def tell_degraded(self, degraded: bool) -> None:
        """There is no word for it."""

    def tell_restart(self, _after_ms: int) -> None:
        """The close says it; clients of this protocol spread their return themselves."""
        self.close(Closing.RESTART)

    def close(self, closing: Closing | GraphqlClosing) -> None:
        """By the code that this protocol has for it."""
        super().close(IN_GRAPHQL.get(closing, closing) if isinstance(closing, Closing) else closing)

    def perform(self, effects: Effects, now: float) -> None:
        """In order."""
        for effect in effects:
            match effect:
                case Follow():
                    self._follow(effect)
                case Look():
                    self._look(effect)
                case Release():
                    self._let_go(effect.operation)
                case Finish():
                    operation = self._let_go(effect.operation)
                    status = 401 if effect.code == "UNAUTHENTICATED" else 403
                    refusal = ApiError(effect.code, effect.message, status)
                    self.send(_error(effect.operation, operation, refusal, reason=effect.reason))
                case _:
                    super().perform((effect,), now)

    def _leave_all(self, _session: Session) -> None:
        for operation in list(self._operations):
            self._let_go(operation)

    def readers_of(self, wire: str) -> Iterable[Reader]:
        """Its operations on this channel."""
        return [one for one in self._operations.values() if isinstance(one, Feed) and one.channel.wire == wire]

    # --- operations

    def _follow(self, follow: Follow) -> None:
        self.wake_before_deadline()
        key: Hashable = (follow.channel.wire, follow.wanted.field)
        feed = Feed(self, follow, key, self._projections.feed(follow.channel.wire, follow.wanted.field))
        self._operations[feed.id] = feed
        if feed.place is None:
            self._gateway.hub.join(feed, None, feed.channel, None)
        else:
            self._recover(feed)

    def _look(self, look: Look) -> None:
        field = look.wanted.field
        looker = Looker(self, look, (look.box, look.view, field), self._projections.map(look.box, look.view, field))
        self._operations[looker.id] = looker
        self._gateway.map.watch(looker, look.view.resolution, look.view.tiles, lambda _frame: None)
        looker.show()

    def _let_go(self, name: str) -> Feed | Looker | None:
        """It is told nothing more."""
        operation = self._operations.pop(name, None)
        if isinstance(operation, Feed):
            self._gateway.hub.drop(operation, operation.channel.wire)
            self._line.pop(operation, None)
            self.settled(operation)
        elif operation is not None:
            self._gateway.map.unwatch(operation)
        if operation is not None:
            self._projections.give_back(operation.key)
        return operation

    def refused(self, operation: Feed | Looker, code: str, message: str, retry_after_ms: int | None = None) -> None:
        """It ends, and its client may begin it again from its place on."""
        if self._operations.get(operation.id) is not operation:
            return
        self._let_go(operation.id)
        if isinstance(self.session, GraphqlSession):
            self.session.finished(operation.id)
        name, status = _CODES.get(code, (code, 400))
        more = {} if retry_after_ms is None else {"retryAfterMs": retry_after_ms}
        self.send(_error(operation.id, operation, ApiError(name, message, status), **more))
        self._gateway.counters.errors += 1

    # --- what was missed

    def rejoin(self, feed: Feed) -> None:
        """From its place on; what cannot be told is a gap then."""
        asyncio.get_running_loop().call_soon(self._recover, feed)

    def is_due(self, feed: Feed) -> None:
        """A part of what it missed."""
        if feed is self._recovering:
            self.part_due()

    def settled(self, feed: Feed) -> None:
        """The next in line may be told what it missed, if this one was told all."""
        if feed is self._recovering and not self._gateway.hub.under_way.of(feed):
            self._recovering = None
            self._next_in_line()

    def _recover(self, feed: Feed) -> None:
        if self._operations.get(feed.id) is feed:
            if self._recovering is feed:  # its answer ended in a gap
                self._recovering = None
            self._line[feed] = None
            self._next_in_line()

    def _next_in_line(self) -> None:
        while self._recovering is None and self._line:
            feed = next(iter(self._line))
            del self._line[feed]
            self._recovering = feed
            since = None if feed.place is None else Since(*feed.place)
            self._gateway.hub.join(feed, None, feed.channel, since)
            self.settled(feed)

    # --- out

    @property
    def is_behind(self) -> bool:
        return self._backlog is not None

    def map_of(self, view: View) -> tuple[tuple[bytes, ...], int] | None:
        """The tiles of a view, each whole, and how many are online; None while something is not known."""
        online = self._gateway.map.online
        tiles = [self._gateway.map.whole(view.resolution, tile) for tile in view.tiles]
        known = tuple(tile for tile in tiles if tile is not None)
        return None if online is None or len(known) < len(tiles) else (known, online)

    def write_next(self, data: bytes) -> None:
        """Frames of an operation."""
        self._written += len(data)
        self.send(data)

    def next_part(self, bytes_max: int) -> int:
        """Of what one of its operations missed."""
        feed, before = self._recovering, self._written
        if feed is None or self._backlog is not None or self.phase != OPEN:
            return 0
        told = self._gateway.hub.recoveries.next_part(feed, bytes_max)
        size = self._written - before
        self._allow(size)
        return max(size, told)

    def resume_writing(self) -> None:
        """It has caught up: what is due goes on, and the map as it is now."""
        super().resume_writing()
        if self._recovering is not None:
            self.part_due()
        for operation in list(self._operations.values()):
            if isinstance(operation, Looker) and not self.is_behind:
                operation.show()


def _error(name: str, operation: Feed | Looker | None, refusal: ApiError, **more: Any) -> bytes:
    place = operation.place if isinstance(operation, Feed) else None
    if place is not None:
        more["position"] = place_of(place)
    return error_of(name, refusal, **more)
