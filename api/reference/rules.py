"""Reference data as values: muscles, equipment and exercises, their ids, what makes a set valid, and lookups. Pure.

An id is a UUIDv5 of its kind and slug, so that every installation has the same ids and a data file needs none.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NewType
from uuid import UUID, uuid5

MuscleId = NewType("MuscleId", UUID)
EquipmentId = NewType("EquipmentId", UUID)
ExerciseId = NewType("ExerciseId", UUID)

# Fixed for ever: another value would give every exercise another id.
NAMESPACE: Final = UUID("5b0f3c1e-7a52-5d0e-9c41-6f1d2a9be870")

ACTIVATION_MAX: Final = 100.0  # percent
PRIME_MOVER_MIN: Final = 50.0  # percent; an exercise has at least one muscle that does this much
BIAS_WEIGHT_MIN: Final = 1.0
BIAS_WEIGHT_MAX: Final = 100.0
NAME_CHARS_MAX: Final = 80

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SLUG_CHARS_MAX: Final = 64


class ReferenceDataError(ValueError):
    """A data file says something that cannot be; the message names the entry and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Muscle:
    """A muscle. `bias_weight` is the divisor of the training-unit formula: the muscle's size and work capacity."""

    id: MuscleId
    slug: str
    name: str
    bias_weight: float


@dataclass(frozen=True, slots=True)
class Equipment:
    """What an exercise is done with."""

    id: EquipmentId
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Activation:
    """How much of one muscle an exercise uses, in percent: 60-100 prime mover, 20-60 synergist, below stabiliser."""

    muscle: Muscle
    percent: float


@dataclass(frozen=True, slots=True)
class Exercise:
    """An exercise with its muscles, the most active first."""

    id: ExerciseId
    slug: str
    name: str
    equipment: Equipment | None
    muscles: tuple[Activation, ...]


@dataclass(frozen=True, slots=True)
class ReferenceData:
    """The whole set, each part sorted by name."""

    muscles: tuple[Muscle, ...]
    equipment: tuple[Equipment, ...]
    exercises: tuple[Exercise, ...]

    @property
    def slugs(self) -> frozenset[str]:
        """The slugs of the exercises: what a heartbeat may name."""
        return frozenset(exercise.slug for exercise in self.exercises)


def muscle_id(slug: str) -> MuscleId:
    """The id that a muscle's slug stands for."""
    return MuscleId(uuid5(NAMESPACE, f"muscle:{slug}"))


def equipment_id(slug: str) -> EquipmentId:
    """The id that an equipment's slug stands for."""
    return EquipmentId(uuid5(NAMESPACE, f"equipment:{slug}"))


def exercise_id(slug: str) -> ExerciseId:
    """The id that an exercise's slug stands for."""
    return ExerciseId(uuid5(NAMESPACE, f"exercise:{slug}"))


def build(muscles: Mapping[str, Any], equipment: Mapping[str, Any], exercises: Mapping[str, Any]) -> ReferenceData:
    """The data set that three parsed files describe; each maps a slug to its fields.

    Muscle: `name`, `bias_weight`. Equipment: `name`. Exercise: `name`, `equipment` (slug), `muscles` (slug of a
    muscle to percent). Raises ReferenceDataError for the first entry that breaks a rule.
    """
    known_muscles = {slug: _muscle(slug, fields) for slug, fields in muscles.items()}
    known_equipment = {
        slug: Equipment(equipment_id(slug), _slug("equipment", slug), _name("equipment", slug, fields, ("name",)))
        for slug, fields in equipment.items()
    }
    made = [_exercise(slug, fields, known_muscles, known_equipment) for slug, fields in exercises.items()]
    _refuse_twin_names("muscle", known_muscles.values())
    _refuse_twin_names("equipment", known_equipment.values())
    _refuse_twin_names("exercise", made)
    return assemble(known_muscles.values(), known_equipment.values(), made)


def assemble(muscles: Iterable[Muscle], equipment: Iterable[Equipment], exercises: Iterable[Exercise]) -> ReferenceData:
    """The parts as one set, each in the order in which it is shown."""
    return ReferenceData(
        tuple(sorted(muscles, key=lambda muscle: muscle.name)),
        tuple(sorted(equipment, key=lambda one: one.name)),
        tuple(sorted(exercises, key=lambda exercise: exercise.name)),
    )


def by_activation(activations: Iterable[Activation]) -> tuple[Activation, ...]:
    """The most active muscle first; equal ones by slug, so that the order is always the same."""
    return tuple(sorted(activations, key=lambda activation: (-activation.percent, activation.muscle.slug)))


def matches(exercise: Exercise, search: str) -> bool:
    """Whether each word of `search` begins a word of the exercise's name, slug or equipment; case does not count."""
    names = [exercise.name, exercise.slug, exercise.equipment.name if exercise.equipment else ""]
    words = _words(" ".join(names))
    return all(any(word.startswith(wanted) for word in words) for wanted in _words(search))


def works(exercise: Exercise, muscle: MuscleId) -> bool:
    """Whether the exercise uses the muscle at all."""
    return any(activation.muscle.id == muscle for activation in exercise.muscles)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _muscle(slug: str, fields: Mapping[str, Any]) -> Muscle:
    name = _name("muscle", slug, fields, ("name", "bias_weight"))
    weight = _number("muscle", slug, "bias_weight", fields["bias_weight"])
    if not BIAS_WEIGHT_MIN <= weight <= BIAS_WEIGHT_MAX:
        raise ReferenceDataError(f"muscle {slug}: bias_weight {weight:g} is not {BIAS_WEIGHT_MIN}-{BIAS_WEIGHT_MAX}")
    return Muscle(muscle_id(slug), _slug("muscle", slug), name, weight)


def _exercise(
    slug: str, fields: Mapping[str, Any], muscles: Mapping[str, Muscle], equipment: Mapping[str, Equipment]
) -> Exercise:
    name = _name("exercise", slug, fields, ("name", "equipment", "muscles"))
    if fields["equipment"] not in equipment:
        raise ReferenceDataError(f"exercise {slug}: unknown equipment {fields['equipment']}")
    activations = []
    for muscle, value in fields["muscles"].items():
        if muscle not in muscles:
            raise ReferenceDataError(f"exercise {slug}: unknown muscle {muscle}")
        percent = _number("exercise", slug, muscle, value)
        if not 1 <= percent <= ACTIVATION_MAX:
            raise ReferenceDataError(f"exercise {slug}: activation of {muscle} is {percent:g}, not 1-100")
        activations.append(Activation(muscles[muscle], percent))
    if not any(activation.percent >= PRIME_MOVER_MIN for activation in activations):
        raise ReferenceDataError(f"exercise {slug}: no muscle of at least {PRIME_MOVER_MIN:g} %")
    return Exercise(
        exercise_id(slug), _slug("exercise", slug), name, equipment[fields["equipment"]], by_activation(activations)
    )


def _slug(kind: str, slug: str) -> str:
    if len(slug) > _SLUG_CHARS_MAX or not _SLUG.fullmatch(slug):
        raise ReferenceDataError(f"{kind} {slug}: a slug is lower-case words joined by hyphens")
    return slug


def _name(kind: str, slug: str, fields: Mapping[str, Any], expected: tuple[str, ...]) -> str:
    if set(fields) != set(expected):
        raise ReferenceDataError(f"{kind} {slug}: its fields are {', '.join(expected)}")
    name = fields["name"]
    if not isinstance(name, str) or name != name.strip() or not 1 <= len(name) <= NAME_CHARS_MAX:
        raise ReferenceDataError(f"{kind} {slug}: a name has 1-{NAME_CHARS_MAX} characters, none around it")
    return name


def _number(kind: str, slug: str, field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ReferenceDataError(f"{kind} {slug}: {field} is no number")
    return float(value)


def _refuse_twin_names(kind: str, entries: Iterable[Muscle | Equipment | Exercise]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        twin = seen.setdefault(entry.name.casefold(), entry.slug)
        if twin != entry.slug:
            raise ReferenceDataError(f"{kind} {entry.slug}: has the name of {twin}")
