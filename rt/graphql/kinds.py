"""The types that can be subscribed to, and how each of their fields is written: out of what the wire carries. Pure.

Values of an event pass as they stand in its body, unread. How many high fives an event has changes behind it and is
told by pages; live it is told as it was published, when nobody had sent one.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import orjson
from msgspec import Raw

from config import base64url
from rt.graphql.selection import Field, Kind, Write, writer

__all__ = ["EVENT", "MAP", "EventTold", "MapTold", "event_told", "event_writer", "map_writer"]

_WRITERS_KEPT: Final = 256  # selections; most clients of an app have the same


class _Actor(msgspec.Struct, gc=False):
    id: Raw
    name: Raw


class _Body(msgspec.Struct, gc=False):
    id: Raw
    type: Raw
    created_at: Raw
    actor: _Actor | None
    data: Raw


_body: Final = msgspec.json.Decoder(_Body)


class EventTold(NamedTuple):
    """An event at its place."""

    body: _Body
    epoch: str
    offset: int

    @property
    def cursor(self) -> str:
        """As pages write it."""
        return base64url.encode(f"{self.epoch}:{self.offset}".encode())


class MapTold(NamedTuple):
    """A part of the map."""

    resolution: int
    online: int
    cells: list[tuple[str, int]]


def event_told(body: bytes, epoch: str, offset: int) -> EventTold:
    """The event of a channel. Raises ValueError where the body has not what every event has."""
    try:
        return EventTold(_body.decode(body), epoch, offset)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


_ACTOR: Final = Kind(
    "Actor", {"id": (lambda actor, _: bytes(actor.id), None), "name": (lambda actor, _: bytes(actor.name), None)}
)
EVENT: Final = Kind(
    "FeedEvent",
    {
        "id": (lambda told, _: bytes(told.body.id), None),
        "type": (lambda told, _: bytes(told.body.type), None),
        "createdAt": (lambda told, _: bytes(told.body.created_at), None),
        "actor": (lambda told, actor: b"null" if told.body.actor is None else actor(told.body.actor), _ACTOR),
        "data": (lambda told, _: bytes(told.body.data), None),
        "cursor": (lambda told, _: orjson.dumps(told.cursor), None),
        "highFives": (lambda _told, _: b"0", None),
        "highFived": (lambda _told, _: b"false", None),
    },
)
_CELL: Final = Kind(
    "Cell",
    {"cell": (lambda cell, _: orjson.dumps(cell[0]), None), "count": (lambda cell, _: b"%d" % cell[1], None)},
)
MAP: Final = Kind(
    "PresenceMap",
    {
        "resolution": (lambda told, _: b"%d" % told.resolution, None),
        "online": (lambda told, _: b"%d" % told.online, None),
        "cells": (lambda told, cell: b"[%b]" % b",".join([cell(one) for one in told.cells]), _CELL),
    },
)


@lru_cache(_WRITERS_KEPT)
def event_writer(selection: tuple[Field, ...]) -> Write:
    """Writes an EventTold."""
    return writer(selection, EVENT)


@lru_cache(_WRITERS_KEPT)
def map_writer(selection: tuple[Field, ...]) -> Write:
    """Writes a MapTold."""
    return writer(selection, MAP)
