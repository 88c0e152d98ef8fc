"""What workouts came to: as the database keeps it, and workouts as the model of tests/support/earning.py takes them."""

from typing import Any
from uuid import UUID

from api.workouts.rules import Workout, as_done, check_input, heaviest, total_units, training_units
from config.ids import uuid7
from tests.support.earning import Trained
from tests.support.ledger import Ledger, query


def trained(books: Ledger, raw: dict[str, Any]) -> Trained:
    """The input of a workout, for the model."""
    draft = check_input(raw, books.reference.exercise, raw["performedAt"])
    muscles = training_units(draft.exercises)
    made = Workout(uuid7(), draft.performed_at, None, total_units(muscles), muscles, draft.exercises)
    return Trained(made.performed_at, made.total_tu, heaviest(made.exercises), as_done(made))


async def stored(books: Ledger, user: UUID) -> dict[str, Any]:
    """Everything that is kept of a user, as the model sums it up."""
    p = await books.everything.fetchrow(query("SELECT * FROM progress WHERE user_id = $1"), user)
    days = await books.everything.fetch(query("SELECT * FROM training_days WHERE user_id = $1 AND workouts > 0"), user)
    bests = await books.everything.fetch(query("SELECT * FROM exercise_bests WHERE user_id = $1"), user)
    challenges = await books.everything.fetch(
        query("SELECT * FROM user_challenges WHERE user_id = $1 AND progress > 0"), user
    )
    milestones = await books.everything.fetch(
        query("SELECT kind, value FROM milestones WHERE user_id = $1 AND kind <> 'record'"), user
    )
    assert p["exercises"] == len(bests)
    assert p["heaviest_kg"] == max((row["weight_kg"] for row in bests), default=0)
    assert p["volume"] == sum(row["volume"] for row in days)
    return {
        "xp": p["xp"],
        "level": p["level"],
        "workouts": p["workouts"],
        "days": {row["local_date"]: (row["workouts"], row["xp"]) for row in days},
        "longest": p["streak_longest"],
        "newest": (p["streak_last"], p["streak_days"]),
        "bests": {row["exercise_id"]: (row["weight_kg"], row["performed_at"]) for row in bests},
        "challenges": {(row["starts_on"], row["challenge_id"]): row["progress"] for row in challenges},
        "completed": p["challenges"],
        "milestones": {(row["kind"], int(row["value"])) for row in milestones},
    }
