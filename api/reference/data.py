"""Reads the reference data that ships with the product (data/*.toml)."""

import tomllib
from pathlib import Path
from typing import Any, Final

from api.reference.goals import Goals, build_goals
from api.reference.rules import ReferenceData, build

_FOLDER: Final = Path(__file__).parent / "data"


def load() -> ReferenceData:
    """The shipped data set. Raises ReferenceDataError, or tomllib.TOMLDecodeError where a slug stands twice."""
    return build(_parse("muscles"), _parse("equipment"), _parse("exercises"))


def load_goals(known: ReferenceData) -> Goals:
    """The shipped archetypes, achievements and challenges, of what is `known`. Raises as `load` does."""
    return build_goals(_parse("archetypes"), _parse("achievements"), _parse("challenges"), known)


def _parse(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
