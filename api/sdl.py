"""`python -m api.sdl`: writes the SDL of all features to rt/wire/schema.graphql, where the gateway reads it."""

from pathlib import Path
from typing import Final

from api.app import FEATURES
from api.graphql.schema import sdl

FILE: Final = Path(__file__).parent.parent / "rt" / "wire" / "schema.graphql"


def text() -> str:
    """What the file says."""
    return f"# Written by `make schema` from the schema.graphql of each feature in api/.\n{sdl(FEATURES)}"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
