"""The use cases of presence: what the keeper has published, and nothing that it would not show."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from api.presence.rules import Cell, Map, NowBucket, Stats, now_bucket
from api.reference.service import Reference
from config.errors import BadInput, RetryLater
from config.limits import NOW_KEPT_S
from config.redis import AWAY, RedisClient
from rt.map import geometry
from rt.map.read import cells, totals
from rt.presence.training import MINUTE_S, buckets

NOW_MINUTES_MAX: Final = NOW_KEPT_S // MINUTE_S


class Presence:
    """Use cases over Redis. All raise RetryLater while it is away."""

    def __init__(self, redis: RedisClient, reference: Reference) -> None:
        self._redis = redis
        self._reference = reference

    async def stats(self) -> Stats:
        """How many people are here now."""
        with _known():
            counted = await totals(self._redis)
        return Stats(counted.users, counted.training)

    async def map(self, west: float, south: float, east: float, north: float, zoom: int) -> Map:
        """Where they are, within degrees. Raises BadInput."""
        try:
            bounds = geometry.bounds(west, south, east, north)
            geometry.resolution_of(zoom)
        except ValueError as error:
            raise BadInput(str(error)) from None
        with _known():
            shown = await cells(self._redis, bounds, zoom)
            counted = await totals(self._redis)
        return Map(shown.resolution, counted.users, [Cell(cell, count) for cell, count in shown.cells])

    async def now_training(self, minutes: int | None) -> list[NowBucket]:
        """Who trained in each of the last minutes, oldest first. Raises BadInput; RetryLater also until the reference
        data is loaded."""
        minutes = NOW_MINUTES_MAX if minutes is None else minutes
        if not 1 <= minutes <= NOW_MINUTES_MAX:
            raise BadInput(f"minutes must be within 1..{NOW_MINUTES_MAX}")
        reference = self._reference.ready()
        with _known():
            found = await buckets(self._redis, minutes)
        return [now_bucket(bucket, reference.exercise_by_slug) for bucket in found]


@contextmanager
def _known() -> Iterator[None]:
    try:
        yield
    except AWAY:
        raise RetryLater("Presence is not known at the moment") from None
