"""Presence as values: what GraphQL shows of it. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from api.reference.rules import Exercise
from rt.presence.training import Bucket


class Stats(msgspec.Struct, frozen=True):
    """How many people are here, and train."""

    online: int
    training: int


class Cell(msgspec.Struct, frozen=True):
    """An H3 cell in lower-case hexadecimal, and how many people are shown in it."""

    cell: str
    count: int


class Map(msgspec.Struct, frozen=True):
    """A part of the map; `online` is everywhere."""

    resolution: int
    online: int
    cells: list[Cell]


class NowExercise(msgspec.Struct, frozen=True):
    """How many people did an exercise, as far as it is shown."""

    slug: str
    name: str
    count: int


class NowBucket(msgspec.Struct, frozen=True):
    """Who trained in one minute, which is named by its beginning."""

    minute: datetime
    training: int
    exercises: list[NowExercise]


def now_bucket(bucket: Bucket, exercise_of: Callable[[str], Exercise | None]) -> NowBucket:
    """A minute with its exercises by name, most people first; `exercise_of` knows them by their slugs."""
    known = [(exercise_of(slug), count) for slug, count in bucket.exercises.items()]
    exercises = [NowExercise(one.slug, one.name, count) for one, count in known if one is not None]
    exercises.sort(key=lambda one: (-one.count, one.slug))
    return NowBucket(datetime.fromtimestamp(bucket.minute_s, UTC), bucket.training, exercises)
