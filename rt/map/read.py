"""What the API reads of presence: only what the keeper has published, never a count of its own."""

from typing import Any, NamedTuple

import orjson

from config.redis import RedisClient
from rt.map.geometry import Bounds, inside, view
from rt.wire.bus import TILES_KEY, TOTALS_KEY


class Totals(NamedTuple):
    """Distinct users online, and training; `followers` and `nobody` are in neither."""

    users: int
    training: int


class Shown(NamedTuple):
    """The cells of a viewport that may be shown: (H3 index in hexadecimal, people)."""

    resolution: int
    cells: list[tuple[str, int]]


async def totals(redis: RedisClient) -> Totals:
    """Zeros before the first keeper has counted. Raises RedisError, OSError or TimeoutError."""
    stored = await _get(redis, TOTALS_KEY)
    return Totals(stored["users"], stored["training"]) if stored else Totals(0, 0)


async def cells(redis: RedisClient, bounds: Bounds, zoom: int) -> Shown:
    """The cells whose centre is in `bounds`. Raises as `totals`, ValueError for a zoom that is none."""
    seen = view(bounds, zoom)
    answers = await redis.hmget(TILES_KEY, [f"{seen.resolution}/{tile}" for tile in seen.tiles])
    stored = [orjson.loads(answer) for answer in answers if answer]
    return Shown(
        seen.resolution,
        [(cell, count) for tile in stored for cell, count in tile["cells"] if inside(bounds, cell)],
    )


async def _get(redis: RedisClient, key: str) -> Any:
    stored = await redis.get(key)
    return orjson.loads(stored) if stored else None
