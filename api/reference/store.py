"""Reference data in PostgreSQL: rows to values and back; decides nothing."""

from typing import Final
from uuid import UUID

import asyncpg

from api.reference.goals import Achievement, Archetype, Goal, Goals, assemble_goals
from api.reference.rules import (
    Activation,
    Equipment,
    EquipmentId,
    Exercise,
    ExerciseId,
    Muscle,
    MuscleId,
    ReferenceData,
    assemble,
    by_activation,
)
from config.db.columns import columns
from config.db.database import Transaction
from config.db.queries import load_queries

_QUERIES: Final = load_queries(__file__)
_UPSERT_MUSCLES: Final = _QUERIES["upsert_muscles"]
_UPSERT_EQUIPMENT: Final = _QUERIES["upsert_equipment"]
_UPSERT_EXERCISES: Final = _QUERIES["upsert_exercises"]
_UPSERT_ACTIVATIONS: Final = _QUERIES["upsert_activations"]
_DELETE_OTHER_ACTIVATIONS: Final = _QUERIES["delete_other_activations"]
_ALL_MUSCLES: Final = _QUERIES["all_muscles"]
_ALL_EQUIPMENT: Final = _QUERIES["all_equipment"]
_ALL_EXERCISES: Final = _QUERIES["all_exercises"]
_ALL_ACTIVATIONS: Final = _QUERIES["all_activations"]
_UPSERT_ARCHETYPES: Final = _QUERIES["upsert_archetypes"]
_UPSERT_ACHIEVEMENTS: Final = _QUERIES["upsert_achievements"]
_GIVE_ACHIEVEMENTS: Final = _QUERIES["give_achievements"]
_UPSERT_CHALLENGES: Final = _QUERIES["upsert_challenges"]
_RETIRE_CHALLENGES: Final = _QUERIES["retire_challenges"]
_ALL_ARCHETYPES: Final = _QUERIES["all_archetypes"]
_ALL_ACHIEVEMENTS: Final = _QUERIES["all_achievements"]
_ALL_CHALLENGES: Final = _QUERIES["all_challenges"]
_EDITION: Final = _QUERIES["edition"]

Edition = tuple[int, int | None]


async def upsert(connection: asyncpg.Connection, data: ReferenceData) -> None:
    """Writes the data set over what the tables hold; rows that are equal are left alone. Run it in a transaction.

    What is no longer in the set stays in the tables, because workouts refer to it.
    """
    tx = Transaction(connection)
    await tx.execute(_UPSERT_MUSCLES, *columns((m.id, m.slug, m.name, m.bias_weight) for m in data.muscles))
    await tx.execute(_UPSERT_EQUIPMENT, *columns((e.id, e.slug, e.name) for e in data.equipment))
    await tx.execute(
        _UPSERT_EXERCISES,
        *columns((e.id, e.slug, e.name, e.equipment.id if e.equipment else None) for e in data.exercises),
    )
    exercises, muscles, percents = columns(
        (exercise.id, activation.muscle.id, activation.percent)
        for exercise in data.exercises
        for activation in exercise.muscles
    )
    await tx.execute(_UPSERT_ACTIVATIONS, exercises, muscles, percents)
    await tx.execute(_DELETE_OTHER_ACTIVATIONS, exercises, muscles)


async def edition(tx: Transaction) -> Edition:
    """What differs after each change of the data set or the goals."""
    rows, by = await tx.fetchrow(_EDITION)
    return rows, by


async def read(tx: Transaction) -> ReferenceData:
    """The data set as the tables hold it."""
    muscles = {
        row["id"]: Muscle(MuscleId(row["id"]), row["slug"], row["name"], row["bias_weight"])
        for row in await tx.fetch(_ALL_MUSCLES)
    }
    equipment = {
        row["id"]: Equipment(EquipmentId(row["id"]), row["slug"], row["name"]) for row in await tx.fetch(_ALL_EQUIPMENT)
    }
    activations: dict[UUID, list[Activation]] = {}
    for row in await tx.fetch(_ALL_ACTIVATIONS):
        activations.setdefault(row["exercise_id"], []).append(Activation(muscles[row["muscle_id"]], row["activation"]))
    exercises = [
        Exercise(
            ExerciseId(row["id"]),
            row["slug"],
            row["name"],
            equipment.get(row["equipment_id"]),
            by_activation(activations.get(row["id"], ())),
        )
        for row in await tx.fetch(_ALL_EXERCISES)
    ]
    return assemble(muscles.values(), equipment.values(), exercises)


async def upsert_goals(connection: asyncpg.Connection, goals: Goals) -> None:
    """Makes the tables hold `goals`, and gives new achievements to whoever has reached them."""
    tx = Transaction(connection)
    await tx.execute(
        _UPSERT_ARCHETYPES,
        *columns((one.id, one.slug, one.name, one.description) for one in goals.archetypes),
        *columns((one.id, muscle.id) for one in goals.archetypes for muscle in one.muscles),
    )
    await tx.execute(
        _UPSERT_ACHIEVEMENTS,
        *columns((a.id, a.slug, a.name, a.description, a.metric, a.threshold) for a in goals.achievements),
    )
    await tx.execute(_GIVE_ACHIEVEMENTS)
    await tx.execute(
        _UPSERT_CHALLENGES,
        *columns(
            (c.id, c.slug, c.name, c.description, c.kind, c.metric, c.part, c.of, c.target, c.reward_xp)
            for c in goals.challenges
        ),
    )
    await tx.execute(_RETIRE_CHALLENGES, [one.id for one in goals.challenges])


async def read_goals(tx: Transaction, known: ReferenceData) -> Goals:
    """The goals as the tables hold them; `known` has the muscles."""
    muscles = {one.id: one for one in known.muscles}
    archetypes = [
        Archetype(
            row["id"],
            row["slug"],
            row["name"],
            row["description"],
            tuple(muscles[MuscleId(one)] for one in row["muscle_ids"]),
        )
        for row in await tx.fetch(_ALL_ARCHETYPES)
    ]
    achievements = [Achievement(**row) for row in await tx.fetch(_ALL_ACHIEVEMENTS)]
    return assemble_goals(archetypes, achievements, [Goal(**row) for row in await tx.fetch(_ALL_CHALLENGES)])
