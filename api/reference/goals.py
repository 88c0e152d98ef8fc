"""Archetypes, achievements and challenges as values: what each is, and what makes the shipped sets valid. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from api.reference.rules import NAMESPACE, Muscle, ReferenceData, ReferenceDataError

DAILY: Final = "DAILY"
COMMUNITY: Final = "COMMUNITY"
KINDS: Final = frozenset({DAILY, COMMUNITY})
DAILY_AT_ONCE: Final = 3  # of a user and date

# What an achievement looks at: a column of `progress`, which only rises.
ACHIEVEMENT_METRICS: Final = frozenset(
    {"workouts", "streak_longest", "level", "volume", "heaviest_kg", "exercises", "challenges"}
)
# What a challenge adds up: workouts, training units, sets, repetitions, kilograms lifted; of everything, or ...
CHALLENGE_METRICS: Final = frozenset({"workouts", "units", "sets", "reps", "load"})
# ... of one muscle (an exercise counts where it is a prime mover), piece of equipment or exercise.
CHALLENGE_PARTS: Final = frozenset({"", "muscle", "equipment", "exercise"})
REWARD_XP_MAX: Final = 1_000
TEXT_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Archetype:
    """A way to train, and the muscles that it trains, the most important first."""

    id: UUID
    slug: str
    name: str
    description: str
    muscles: tuple[Muscle, ...]


@dataclass(frozen=True, slots=True)
class Achievement:
    """What is earned for good when `metric` reaches `threshold`."""

    id: UUID
    slug: str
    name: str
    description: str
    metric: str
    threshold: float


@dataclass(frozen=True, slots=True)
class Goal:
    """A challenge of the pool: so much of `metric`, of what `part` and `of` name, in a day or a week."""

    id: UUID
    slug: str
    name: str
    description: str
    kind: str
    metric: str
    part: str
    of: str
    target: float
    reward_xp: int


@dataclass(frozen=True, slots=True)
class Goals:
    """The whole set: archetypes by name, achievements by metric and threshold, challenges by kind, each by their ids.

    The place of a DAILY one is what `daily_places` in SQL speaks of.
    """

    archetypes: tuple[Archetype, ...] = ()
    achievements: tuple[Achievement, ...] = ()
    daily: tuple[Goal, ...] = ()
    community: tuple[Goal, ...] = ()

    @property
    def challenges(self) -> tuple[Goal, ...]:
        return self.daily + self.community

    def marks(self, metric: str) -> list[float]:
        """The thresholds of a metric, ascending."""
        return [one.threshold for one in self.achievements if one.metric == metric]


def goal_id(kind: str, slug: str) -> UUID:
    """The id that a slug stands for; `kind`: archetype, achievement or challenge."""
    return uuid5(NAMESPACE, f"{kind}:{slug}")


def build_goals(
    archetypes: Mapping[str, Any], achievements: Mapping[str, Any], challenges: Mapping[str, Any], known: ReferenceData
) -> Goals:
    """The set that three parsed files describe; each maps a slug to its fields.

    Archetype: `name`, `description`, `muscles` (slugs). Achievement: `name`, `description`, `metric`, `threshold`.
    Challenge: `name`, `description`, `kind`, `metric`, `target`, `reward_xp`, and one of `muscle`, `equipment` and
    `exercise` (slug) or none. Raises ReferenceDataError for the first entry that breaks a rule.
    """
    slugs = {
        "muscle": {one.slug for one in known.muscles},
        "equipment": {one.slug for one in known.equipment},
        "exercise": known.slugs,
    }
    muscles = {one.slug: one for one in known.muscles}
    goals = assemble_goals(
        [_archetype(slug, fields, muscles) for slug, fields in archetypes.items()],
        [_achievement(slug, fields) for slug, fields in achievements.items()],
        [_challenge(slug, fields, slugs) for slug, fields in challenges.items()],
    )
    if len(goals.daily) < DAILY_AT_ONCE:
        raise ReferenceDataError(f"challenges: {DAILY_AT_ONCE} that are {DAILY}, at least")
    return goals


def assemble_goals(archetypes: list[Archetype], achievements: list[Achievement], challenges: list[Goal]) -> Goals:
    """The parts as one set, each in its order."""
    return Goals(
        tuple(sorted(archetypes, key=lambda one: one.name)),
        tuple(sorted(achievements, key=lambda one: (one.metric, one.threshold, one.slug))),
        *(
            tuple(sorted((one for one in challenges if one.kind == kind), key=lambda one: one.id))
            for kind in (DAILY, COMMUNITY)
        ),
    )


def _archetype(slug: str, fields: Mapping[str, Any], muscles: Mapping[str, Muscle]) -> Archetype:
    _fields("archetype", slug, fields, {"name", "description", "muscles"})
    trained = fields["muscles"]
    if not isinstance(trained, list) or not 1 <= len(set(trained)) == len(trained) <= len(muscles):
        raise ReferenceDataError(f"archetype {slug}: it trains some muscles, each once")
    for one in trained:
        if one not in muscles:
            raise ReferenceDataError(f"archetype {slug}: unknown muscle {one}")
    name, description = _texts("archetype", slug, fields)
    return Archetype(goal_id("archetype", slug), slug, name, description, tuple(muscles[one] for one in trained))


def _achievement(slug: str, fields: Mapping[str, Any]) -> Achievement:
    _fields("achievement", slug, fields, {"name", "description", "metric", "threshold"})
    metric = _one_of("achievement", slug, fields["metric"], ACHIEVEMENT_METRICS)
    name, description = _texts("achievement", slug, fields)
    threshold = _figure("achievement", slug, "threshold", fields["threshold"])
    return Achievement(goal_id("achievement", slug), slug, name, description, metric, threshold)


def _challenge(slug: str, fields: Mapping[str, Any], slugs: Mapping[str, Any]) -> Goal:
    parts = sorted(CHALLENGE_PARTS & set(fields))
    _fields("challenge", slug, fields, {"name", "description", "kind", "metric", "target", "reward_xp", *parts})
    if len(parts) > 1:
        raise ReferenceDataError(f"challenge {slug}: of one of {', '.join(parts)} alone")
    part = parts[0] if parts else ""
    of = fields[part] if part else ""
    if part and of not in slugs[part]:
        raise ReferenceDataError(f"challenge {slug}: unknown {part} {of}")
    kind = _one_of("challenge", slug, fields["kind"], KINDS)
    metric = _one_of("challenge", slug, fields["metric"], CHALLENGE_METRICS)
    if metric == "units" and part not in ("", "muscle"):
        raise ReferenceDataError(f"challenge {slug}: training units are those of a muscle")
    reward = fields["reward_xp"]
    if isinstance(reward, bool) or not isinstance(reward, int) or not 1 <= reward <= REWARD_XP_MAX:
        raise ReferenceDataError(f"challenge {slug}: reward_xp is 1-{REWARD_XP_MAX}")
    name, description = _texts("challenge", slug, fields)
    target = _figure("challenge", slug, "target", fields["target"])
    return Goal(goal_id("challenge", slug), slug, name, description, kind, metric, part, of, target, reward)


def _fields(kind: str, slug: str, fields: Mapping[str, Any], expected: set[str]) -> None:
    if set(fields) != expected:
        raise ReferenceDataError(f"{kind} {slug}: its fields are {', '.join(sorted(expected))}")


def _texts(kind: str, slug: str, fields: Mapping[str, Any]) -> tuple[str, str]:
    for field in ("name", "description"):
        text = fields[field]
        if not isinstance(text, str) or text != text.strip() or not 1 <= len(text) <= TEXT_CHARS_MAX:
            raise ReferenceDataError(f"{kind} {slug}: {field} has 1-{TEXT_CHARS_MAX} characters, none around it")
    return fields["name"], fields["description"]


def _one_of(kind: str, slug: str, value: object, words: frozenset[str]) -> str:
    if not isinstance(value, str) or value not in words:
        raise ReferenceDataError(f"{kind} {slug}: {value} is not one of {', '.join(sorted(words))}")
    return value


def _figure(kind: str, slug: str, field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise ReferenceDataError(f"{kind} {slug}: {field} is a positive number")
    return float(value)
