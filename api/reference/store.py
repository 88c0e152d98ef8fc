"""Reference data in PostgreSQL: rows to values and back; decides nothing."""

from typing import Final
from uuid import UUID

import asyncpg

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
