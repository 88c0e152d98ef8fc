"""What a workout may be, what it trains, and what makes two of them the same. Pure.

Training units of a muscle: the sum over the exercises of activation % / bias weight × the sum of the reps of their
sets (api/graphql/schema.graphql). 80 %, bias 10, 3 × 10 reps: 80 / 10 × 30 = 240.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson

from api.challenges.rules import Done, Part
from api.pages import bad_cursor, decode_cursor
from api.reference.rules import Exercise, Muscle
from config.errors import BadInput
from config.events.visibility import Visibility
from config.limits import (
    EXERCISES_PER_WORKOUT_MAX,
    NOTE_CHARS_MAX,
    PERFORMED_AT_FUTURE_S_MAX,
    REPS_PER_SET_MAX,
    SETS_PER_EXERCISE_MAX,
    SYNC_WORKOUTS_MAX,
    WEIGHT_KG_MAX,
)
from config.times import iso_z

PERFORMED_AT_MIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAPPING: Final = (dict, Mapping)  # what it nearly always is needs no look at an abstract class

VISIBILITY_DEFAULT: Final = (Visibility.PUBLIC_ANON.value, Visibility.PUBLIC_PROFILE.value)


class Set(msgspec.Struct, frozen=True):
    """Repetitions without a pause."""

    reps: int
    weight_kg: float | None = None


class WorkoutExercise(msgspec.Struct, frozen=True):
    """One exercise with its sets, in the order in which they were done."""

    exercise: Exercise
    sets: tuple[Set, ...]

    @property
    def reps(self) -> int:
        return sum([one.reps for one in self.sets])


class MuscleActivation(msgspec.Struct, frozen=True):
    """What a workout gave one muscle."""

    muscle: Muscle
    training_units: float


class Draft(msgspec.Struct, frozen=True):
    """A workout that was checked and is not logged yet. `visibility` is sorted and without repeats."""

    performed_at: datetime
    note: str | None
    visibility: tuple[str, ...]
    exercises: tuple[WorkoutExercise, ...]


class Workout(msgspec.Struct, frozen=True):
    """A logged workout; the most trained muscle first."""

    id: UUID
    performed_at: datetime
    note: str | None
    total_tu: float
    muscles: tuple[MuscleActivation, ...]
    exercises: tuple[WorkoutExercise, ...]


class StoredWorkout(msgspec.Struct, frozen=True):
    """A logged workout as it is kept: by their ids muscles with training units, and exercises with sets."""

    id: UUID
    performed_at: datetime
    note: str | None
    total_tu: float
    muscles: Sequence[tuple[UUID, float]]
    exercises: Sequence[tuple[UUID, tuple[Set, ...]]]


def workout_of(
    stored: StoredWorkout,
    exercise_of: Callable[[UUID], Exercise | None],
    muscle_of: Callable[[UUID], Muscle | None],
) -> Workout:
    """The workout with what is known of its parts; what nobody knows is left out."""
    exercises = [
        WorkoutExercise(exercise, sets)
        for wanted, sets in stored.exercises
        if (exercise := exercise_of(wanted)) is not None
    ]
    muscles = [
        MuscleActivation(muscle, units) for wanted, units in stored.muscles if (muscle := muscle_of(wanted)) is not None
    ]
    return Workout(stored.id, stored.performed_at, stored.note, stored.total_tu, by_units(muscles), tuple(exercises))


def place_in(cursor: str) -> tuple[datetime, UUID]:
    """When the workout of a cursor was performed, and its id: the page after it begins there. Raises BadInput."""
    performed_at, workout_id = decode_cursor(cursor, 2)
    try:
        at, workout = datetime.fromisoformat(performed_at), UUID(workout_id)
        # Naive, or of the calendar's first and last days: no instant that could be compared, or ever was given out.
        if at.tzinfo is None or at.astimezone(UTC) < PERFORMED_AT_MIN:
            raise bad_cursor()
    except (ValueError, OverflowError):
        raise bad_cursor() from None
    return at, workout


def heaviest(exercises: Iterable[WorkoutExercise]) -> dict[UUID, float]:
    """The most weight of each exercise, in kilograms; 0 where there was none."""
    most: dict[UUID, float] = {}
    for done in exercises:
        weight = max(one.weight_kg or 0.0 for one in done.sets)
        most[done.exercise.id] = max(weight, most.get(done.exercise.id, 0.0))
    return most


def as_done(workout: Workout) -> Done:
    """The workout as challenges see it."""
    parts = tuple(
        Part(one.exercise, len(one.sets), one.reps, sum(each.reps * (each.weight_kg or 0.0) for each in one.sets))
        for one in workout.exercises
    )
    units = {one.muscle.slug: one.training_units for one in workout.muscles}
    return Done(parts, units, workout.total_tu)


def training_units(exercises: Iterable[WorkoutExercise]) -> tuple[MuscleActivation, ...]:
    """Training units by muscle, the most trained first, equal ones by slug."""
    parts: dict[UUID, tuple[Muscle, list[float]]] = {}
    for done in exercises:
        reps = done.reps
        for activation in done.exercise.muscles:
            muscle = activation.muscle
            units = activation.percent * reps / muscle.bias_weight
            parts.setdefault(muscle.id, (muscle, []))[1].append(units)
    return by_units(MuscleActivation(muscle, math.fsum(units)) for muscle, units in parts.values())


def by_units(activations: Iterable[MuscleActivation]) -> tuple[MuscleActivation, ...]:
    """The order in which muscles are shown."""
    return tuple(sorted(activations, key=lambda one: (-one.training_units, one.muscle.slug)))


def total_units(activations: Iterable[MuscleActivation]) -> float:
    """Training units of all muscles together."""
    return math.fsum(one.training_units for one in activations)


def input_hash(draft: Draft) -> bytes:
    """32 bytes that are the same for two inputs that ask for the same workout: however the time zone of its instant,
    the order of its visibilities or a weight (60, 60.0) was written."""
    meaning = [
        draft.performed_at.astimezone(UTC).isoformat(),
        draft.note,
        draft.visibility,
        [[str(one.exercise.id), [[done.reps, done.weight_kg] for done in one.sets]] for one in draft.exercises],
    ]
    return hashlib.sha256(orjson.dumps(meaning)).digest()


def event_data(workout: Workout) -> dict[str, Any]:
    """`data` of `workout_completed`, version 1."""
    return {
        "workout_id": str(workout.id),
        "performed_at": iso_z(workout.performed_at),
        "total_tu": workout.total_tu,
        "exercises": [
            {"slug": one.exercise.slug, "name": one.exercise.name, "sets": len(one.sets), "reps": one.reps}
            for one in workout.exercises
        ],
        "muscles": [
            {"slug": one.muscle.slug, "name": one.muscle.name, "training_units": one.training_units}
            for one in workout.muscles
        ],
        "note": workout.note,
    }


# --- checking what a client sends


def check_input(raw: Mapping[str, Any], exercise_of: Callable[[UUID], Exercise | None], now: datetime) -> Draft:
    """The workout that `raw` describes, in the shape of GraphQL's LogWorkoutInput (performedAt may be a datetime or
    ISO 8601 text). `exercise_of` knows the exercises. Raises BadInput with the path of what is wrong."""
    exercises = _list(raw.get("exercises"), "exercises", EXERCISES_PER_WORKOUT_MAX)
    return Draft(
        _performed_at(raw.get("performedAt"), now),
        _note(raw.get("note")),
        _visibility(raw.get("visibility")),
        tuple([_exercise(one, number, exercise_of) for number, one in enumerate(exercises)]),
    )


def check_sync(inputs: Sequence[Mapping[str, Any]]) -> list[int]:
    """The places of GraphQL's SyncWorkoutInputs in the order in which they were performed; what names no instant comes
    last, and is refused by itself. Raises BadInput."""
    if not 1 <= len(inputs) <= SYNC_WORKOUTS_MAX:
        raise BadInput(f"inputs: between 1 and {SYNC_WORKOUTS_MAX} of them", "inputs")

    def performed(place: int) -> tuple[datetime, str]:
        at = inputs[place]["workout"].get("performedAt")
        known = isinstance(at, datetime) and at.tzinfo is not None
        return at if known else datetime.max.replace(tzinfo=UTC), inputs[place]["idempotencyKey"]

    return sorted(range(len(inputs)), key=performed)


def _performed_at(value: object, now: datetime) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _bad("performedAt", "not a date and time in ISO 8601") from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _bad("performedAt", "a date and time with its offset from UTC is needed")
    try:
        instant = value.astimezone(UTC)
    except OverflowError:
        raise _bad("performedAt", "out of range") from None
    if instant < PERFORMED_AT_MIN:
        raise _bad("performedAt", f"not before {PERFORMED_AT_MIN.year}")
    if instant > now + timedelta(seconds=PERFORMED_AT_FUTURE_S_MAX):
        raise _bad("performedAt", "lies in the future")
    return instant


def _note(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > NOTE_CHARS_MAX:
        raise _bad("note", f"at most {NOTE_CHARS_MAX} characters")
    # Neither UTF-8 nor PostgreSQL has lone surrogates; NUL is what PostgreSQL's text cannot hold.
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise _bad("note", "has characters that cannot be stored")
    return value


def _visibility(value: object) -> tuple[str, ...]:
    if value is None:
        return VISIBILITY_DEFAULT
    names = [one.value for one in Visibility]  # a list: what is looked up may not be hashable
    if not isinstance(value, Sequence) or isinstance(value, str) or not value or len(value) > len(names):
        raise _bad("visibility", f"between 1 and {len(names)} of them, or none given at all")
    for one in value:
        if one not in names:
            raise _bad("visibility", f"one of {', '.join(names)}")
    return tuple(sorted(set(value)))


def _exercise(value: object, number: int, exercise_of: Callable[[UUID], Exercise | None]) -> WorkoutExercise:
    path = f"exercises.{number}"
    if not isinstance(value, _MAPPING):
        raise _bad(path, "an exercise with its sets is needed")
    try:
        wanted = UUID(str(value.get("exerciseId")))
    except ValueError:
        raise _bad(f"{path}.exerciseId", "there is no such exercise") from None
    exercise = exercise_of(wanted)
    if exercise is None:
        raise _bad(f"{path}.exerciseId", "there is no such exercise")
    sets = _list(value.get("sets"), f"{path}.sets", SETS_PER_EXERCISE_MAX)
    return WorkoutExercise(exercise, tuple([_set(one, path, place) for place, one in enumerate(sets)]))


def _set(value: object, exercise: str, number: int) -> Set:
    if not isinstance(value, _MAPPING):
        raise _bad(f"{exercise}.sets.{number}", "a set with its reps is needed")
    reps, weight = value.get("reps"), value.get("weightKg")
    if isinstance(reps, bool) or not isinstance(reps, int) or not 1 <= reps <= REPS_PER_SET_MAX:
        raise _bad(f"{exercise}.sets.{number}.reps", f"a whole number from 1 to {REPS_PER_SET_MAX}")
    if weight is None:
        return Set(reps)
    # Written so that NaN, which compares with nothing, is refused too.
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= WEIGHT_KG_MAX:
        raise _bad(f"{exercise}.sets.{number}.weightKg", f"a number of kilograms from 0 to {WEIGHT_KG_MAX:g}")
    return Set(reps, abs(float(weight)))


def _list(value: object, path: str, longest: int) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not 1 <= len(value) <= longest:
        raise _bad(path, f"between 1 and {longest} of them")
    return value


def _bad(path: str, message: str) -> BadInput:
    return BadInput(f"{path}: {message}", path)
