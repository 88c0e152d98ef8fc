"""Reference data in the memory of a process, and the gateways' vocabulary of exercises in Redis."""

from collections.abc import Iterable
from typing import Self
from uuid import UUID

import asyncpg

from api.reference import store
from api.reference.goals import Archetype, Goals
from api.reference.rules import (
    Equipment,
    Exercise,
    ExerciseId,
    Muscle,
    MuscleId,
    ReferenceData,
    assemble,
    matches,
    works,
)
from config.db.database import Transaction
from config.errors import RetryLater
from config.redis import RedisClient
from rt.wire.bus import EXERCISES_KEY


class Reference:
    """The data set that this process serves: loaded once from PostgreSQL, then read without a wait.

    Empty until `load` has returned; `loaded` tells.
    """

    def __init__(self) -> None:
        self._edition: store.Edition | None = None
        self._adopt(assemble((), (), ()), Goals())

    async def load(self, pool: asyncpg.Pool) -> bool:
        """Reads the tables, all of one moment, where they have changed since; whether they had. Raises what the pool
        raises; what was loaded before stays then."""
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            tx = Transaction(connection)
            edition = await store.edition(tx)
            if edition == self._edition:
                return False
            data = await store.read(tx)
            self._adopt(data, await store.read_goals(tx, data))
            self._edition = edition
            return True

    def ready(self) -> Self:
        """Itself. Raises RetryLater until it is loaded: an exercise must not be called unknown before."""
        if not self.loaded:
            raise RetryLater("Reference data is not loaded yet")
        return self

    @property
    def loaded(self) -> bool:
        return bool(self._data.exercises)

    @property
    def data(self) -> ReferenceData:
        return self._data

    @property
    def goals(self) -> Goals:
        """Archetypes, achievements and challenges."""
        return self._goals

    def archetype(self, wanted: UUID) -> Archetype | None:
        """The archetype of this id, or None."""
        return self._archetypes.get(wanted)

    def muscle(self, wanted: UUID) -> Muscle | None:
        """The muscle of this id, or None."""
        return self._muscles.get(MuscleId(wanted))

    def exercise(self, wanted: UUID) -> Exercise | None:
        """The exercise of this id, or None."""
        return self._exercises.get(ExerciseId(wanted))

    def exercise_by_slug(self, slug: str) -> Exercise | None:
        """The exercise of this slug, or None."""
        return self._by_slug.get(slug)

    def exercises(self, search: str | None = None, muscle: UUID | None = None) -> tuple[Exercise, ...]:
        """Exercises by name, alphabetically: those that match every word of `search` and use `muscle`.

        A muscle that does not exist is used by none.
        """
        found = self._data.exercises
        if search is not None:
            found = tuple(exercise for exercise in found if matches(exercise, search))
        if muscle is not None:
            found = tuple(exercise for exercise in found if works(exercise, MuscleId(muscle)))
        return found

    def muscles(self) -> tuple[Muscle, ...]:
        """All muscles by name."""
        return self._data.muscles

    def equipment(self) -> tuple[Equipment, ...]:
        """All equipment by name."""
        return self._data.equipment

    def _adopt(self, data: ReferenceData, goals: Goals) -> None:
        self._data = data
        self._goals = goals
        self._archetypes = {one.id: one for one in goals.archetypes}
        self._muscles = {muscle.id: muscle for muscle in data.muscles}
        self._exercises = {exercise.id: exercise for exercise in data.exercises}
        self._by_slug = {exercise.slug: exercise for exercise in data.exercises}


async def publish_slugs(redis: RedisClient, slugs: Iterable[str]) -> None:
    """Makes `reference:exercises` exactly `slugs`, in one step: no reader sees the set half filled or absent.

    Safe to repeat; the API does so every few seconds, so that a Redis that was wiped has them again. Without slugs
    (nothing is loaded yet) it changes nothing. Raises RedisError.
    """
    words = sorted(slugs)
    if not words:
        return
    async with redis.pipeline(transaction=True) as pipe:
        pipe.delete(EXERCISES_KEY)
        pipe.sadd(EXERCISES_KEY, *words)
        await pipe.execute()
