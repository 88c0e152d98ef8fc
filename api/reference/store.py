"""Reference data in PostgreSQL: rows to values and back; decides nothing."""

from pathlib import Path
from typing import Any, Final
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


def _named(path: Path) -> dict[str, str]:
    parts = path.read_text("utf-8").split("-- name: ")[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2] for part in parts}


SQL: Final = _named(Path(__file__).parent / "queries.sql")


async def upsert(connection: asyncpg.Connection, data: ReferenceData) -> None:
    """Writes the data set over what the tables hold; rows that are equal are left alone. Run it in a transaction.

    What is no longer in the set stays in the tables, because workouts refer to it.
    """
    await connection.execute(
        SQL["upsert_muscles"], *_columns((m.id, m.slug, m.name, m.bias_weight) for m in data.muscles)
    )
    await connection.execute(SQL["upsert_equipment"], *_columns((e.id, e.slug, e.name) for e in data.equipment))
    await connection.execute(
        SQL["upsert_exercises"],
        *_columns((e.id, e.slug, e.name, e.equipment.id if e.equipment else None) for e in data.exercises),
    )
    exercises, muscles, percents = _columns(
        (exercise.id, activation.muscle.id, activation.percent)
        for exercise in data.exercises
        for activation in exercise.muscles
    )
    await connection.execute(SQL["upsert_activations"], exercises, muscles, percents)
    await connection.execute(SQL["delete_other_activations"], exercises, muscles)


async def read(connection: asyncpg.Connection) -> ReferenceData:
    """The data set as the tables hold it."""
    muscles = {
        row["id"]: Muscle(MuscleId(row["id"]), row["slug"], row["name"], row["bias_weight"])
        for row in await connection.fetch(SQL["all_muscles"])
    }
    equipment = {
        row["id"]: Equipment(EquipmentId(row["id"]), row["slug"], row["name"])
        for row in await connection.fetch(SQL["all_equipment"])
    }
    activations: dict[UUID, list[Activation]] = {}
    for row in await connection.fetch(SQL["all_activations"]):
        activations.setdefault(row["exercise_id"], []).append(Activation(muscles[row["muscle_id"]], row["activation"]))
    exercises = [
        Exercise(
            ExerciseId(row["id"]),
            row["slug"],
            row["name"],
            equipment.get(row["equipment_id"]),
            by_activation(activations.get(row["id"], ())),
        )
        for row in await connection.fetch(SQL["all_exercises"])
    ]
    return assemble(muscles.values(), equipment.values(), exercises)


def _columns(rows: Any) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
