"""Reference data in GraphQL, from the memory of the process."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from api.graphql.context import Info, service_of
from api.graphql.schema import feature
from api.reference.goals import Achievement, Archetype
from api.reference.rules import Activation, Equipment, Exercise, Muscle
from api.reference.service import Reference
from config.errors import BadInput

_SEARCH_CHARS_MAX: Final = 100


def _exercises(_: Any, info: Info, search: str | None = None, muscle: str | None = None) -> Sequence[Exercise]:
    reference = service_of(info, Reference).ready()
    if search is not None and len(search) > _SEARCH_CHARS_MAX:
        raise BadInput(f"At most {_SEARCH_CHARS_MAX} characters", "search")
    if muscle is None:
        return reference.exercises(search)
    try:
        return reference.exercises(search, UUID(muscle))
    except ValueError:
        return ()  # no muscle has such an id, so no exercise uses it


def _muscles(_: Any, info: Info) -> Sequence[Muscle]:
    return service_of(info, Reference).ready().muscles()


def _equipment(_: Any, info: Info) -> Sequence[Equipment]:
    return service_of(info, Reference).ready().equipment()


def _archetypes(_: Any, info: Info) -> Sequence[Archetype]:
    return service_of(info, Reference).ready().goals.archetypes


def _achievements(_: Any, info: Info) -> Sequence[Achievement]:
    return service_of(info, Reference).ready().goals.achievements


def _activation(activation: Activation) -> float:
    return activation.percent


FEATURE = feature(
    __file__,
    {
        "Query": {
            "exercises": _exercises,
            "muscles": _muscles,
            "equipment": _equipment,
            "archetypes": _archetypes,
            "achievements": _achievements,
        },
        "ExerciseMuscle": {"activation": _activation},
    },
)
