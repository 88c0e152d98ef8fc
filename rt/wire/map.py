"""The map on the bus: a line per tile, whose tail is the message as clients get it, so that no gateway builds it again.

`resolution tile version whole message`, separated by blanks; `whole` is 0 or 1, `message` is JSON without a line
break. A gateway reads the head, and looks into the message only when a late viewer needs the whole tile.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson


class Change(NamedTuple):
    """One tile that changed, or comes whole; `text` is what clients get."""

    resolution: int
    tile: str
    version: int
    whole: bool
    text: bytes


def change(resolution: int, tile: str, version: int, whole: bool, cells: Sequence[tuple[str, int]]) -> Change:
    """The change with its message (`map` in rt/wire/asyncapi.yaml); a count of 0 takes a cell away."""
    message = {
        "type": "map",
        "tile": tile,
        "version": version,
        "whole": whole,
        "resolution": resolution,
        "cells": cells,
    }
    return Change(resolution, tile, version, whole, orjson.dumps(message))


def encode(changes: Iterable[Change]) -> bytes:
    """The payload of one Pub/Sub message."""
    return b"\n".join(
        b"%d %b %d %d %b" % (resolution, tile.encode(), version, whole, text)
        for resolution, tile, version, whole, text in changes
    )


def decode(payload: bytes) -> list[Change]:
    """The inverse of `encode`. ValueError where the payload is none."""
    changes: list[Change] = []
    for line in payload.split(b"\n"):
        resolution, tile, version, whole, text = line.split(b" ", 4)
        changes.append(Change(int(resolution), tile.decode(), int(version), whole == b"1", text))
    return changes


def cells_of(text: bytes) -> list[tuple[str, int]]:
    """The cells in a message."""
    cells: list[tuple[str, int]] = orjson.loads(text)["cells"]
    return cells
