"""Operations of GraphQL on one socket: each hears a channel, or looks at the map, and tells its client by its id."""

from collections.abc import Hashable, Sequence
from typing import Final, Protocol

import msgspec

from rt.clients.effects import Effects, Follow, Look
from rt.clients.session import Session
from rt.feed.positions import Position
from rt.graphql.projection import FeedProjection, MapProjection, Told, gap
from rt.map.geometry import View
from rt.map.writers import MapFrame
from rt.wire.frames import payload_of, split_frames
from rt.wire.graphql import next_tail

__all__ = ["Feed", "Looker", "Owner"]


class Owner(Protocol):
    """The client that has them."""

    session: Session | None

    def perform(self, effects: Effects, now: float) -> None:
        """What its session has decided."""

    def write_next(self, data: bytes) -> None:
        """Ready frames of one of its operations."""

    def is_due(self, feed: "Feed") -> None:
        """A part of what this one missed is due."""

    def rejoin(self, feed: "Feed") -> None:
        """Its stream was given up: it is to join again from its place on."""

    def settled(self, feed: "Feed") -> None:
        """It may have been told everything that it missed."""

    def refused(self, operation: "Feed | Looker", code: str, message: str, retry_after_ms: int | None = None) -> None:
        """It cannot go on."""

    def map_of(self, view: View) -> tuple[tuple[bytes, ...], int] | None:
        """The frames of a view's tiles, each whole, and how many are online; None while something is not known."""

    @property
    def is_behind(self) -> bool:
        """Whether the socket has no room."""


class _Numbered(msgspec.Struct, gc=False):
    offset: int
    event: msgspec.Raw


class _Subscribed(msgspec.Struct, tag_field="type", tag="subscribed", gc=False):
    epoch: str
    offset: int
    recovered: bool | None
    events: list[_Numbered]


class _Error(msgspec.Struct, tag_field="type", tag="error", gc=False):
    code: str
    message: str
    retry_after_ms: int | None = None


class _Gap(msgspec.Struct, tag_field="type", tag="gap", gc=False):
    pass


class _Presence(msgspec.Struct, tag_field="type", tag="presence", gc=False):
    """How the owner of a profile is: no event."""


_decoder: Final = msgspec.json.Decoder(_Subscribed | _Error | _Gap | _Presence)


class Feed:
    """A reader of a channel (rt/channels/asks.py): what it hears there it tells its client as its selection says.

    `place`: how far the client was told. `key`: what makes its projection the same as others'.
    """

    __slots__ = ("_owner", "_tail", "channel", "id", "key", "place", "projection")

    def __init__(self, owner: Owner, follow: Follow, key: Hashable, projection: FeedProjection) -> None:
        self._owner = owner
        self._tail = next_tail(follow.operation)
        self.id = follow.operation
        self.channel = follow.channel
        self.key = key
        self.projection = projection
        self.place = None if follow.since is None else Position(follow.since.epoch, follow.since.offset)

    @property
    def session(self) -> Session | None:
        return self._owner.session

    def perform(self, effects: Effects, now: float) -> None:
        """What the session of its client has decided."""
        self._owner.perform(effects, now)

    def part_due(self) -> None:
        """Of what it missed."""
        self._owner.is_due(self)

    def send(self, data: bytes) -> None:
        """Frames as a reader of the channel gets them (rt/wire/outbound.py)."""
        place = self.place
        told = None if place is None else self.projection.told(data, place.epoch)
        if place is not None and told is not None:
            self.place = Position(place.epoch, told.last)
            self._owner.write_next(told.frames(self._tail))
            self._owner.settled(self)
            return
        for frame in split_frames(data):
            self._hear(payload_of(frame))

    def _hear(self, payload: bytes) -> None:
        match _decoder.decode(payload):
            case _Subscribed() as answer:
                self._subscribed(answer)
                self._owner.settled(self)
            case _Error() as error:
                self._owner.refused(self, error.code, error.message, error.retry_after_ms)
            case _Gap():
                self._owner.rejoin(self)
            case _Presence():
                pass

    def _subscribed(self, answer: _Subscribed) -> None:
        since, self.place = self.place, Position(answer.epoch, answer.offset)
        if answer.recovered is False and since is not None:
            payloads = [gap(since, self.place)]
        else:
            one = self.projection.one
            payloads = [one(answer.epoch, missed.offset, bytes(missed.event)) for missed in answer.events]
        if payloads:
            self._owner.write_next(Told(payloads, answer.offset).frames(self._tail))


class Looker:
    """A viewer of the map (rt/map/writers.py): whatever it is shown, its client is told the whole as it is then.

    While the client has no room it is told nothing, and what there is when it has some.
    """

    __slots__ = ("_owner", "_told", "id", "key", "projection", "view")

    def __init__(self, owner: Owner, look: Look, key: Hashable, projection: MapProjection) -> None:
        self._owner = owner
        self._told: bytes | None = None
        self.id = look.operation
        self.key = key
        self.projection = projection
        self.view = look.view

    def send_map(self, _parts: Sequence[MapFrame], _joined: bytes) -> None:
        """Something in view has changed."""
        if not self._owner.is_behind:
            self.show()

    def show(self) -> None:
        """Tells the map as it is, where that is known and not what was told last."""
        seen = self._owner.map_of(self.view)
        if seen is None:
            return
        try:
            payload = self.projection.payload(*seen)
        except ValueError as error:
            self._owner.refused(self, "BAD_INPUT", str(error))
            return
        if payload is not self._told:
            self._told = payload
            self._owner.write_next(Told((payload,), 0).frames(next_tail(self.id)))
