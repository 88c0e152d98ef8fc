"""The accounts of earlier demos, in a file that only its owner reads: who comes back needs no new password."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Known:
    """An account, and the cookies that its last session left."""

    email: str
    password: str
    cookies: dict[str, str] = field(default_factory=dict)


class Kept:
    """The accounts of one server, by its address. `save` writes down those that came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free = _read(path)
        self._here: list[tuple[Known, Any]] = []

    def take(self) -> Known | None:
        """One that nobody has."""
        return self._free.pop() if self._free else None

    def add(self, known: Known, client: Any) -> None:
        """It is in; its cookies are its client's."""
        self._here.append((known, client))

    def save(self) -> None:
        """Writes all of them down, those too that did not come."""
        for known, client in self._here:
            known.cookies = client.cookies.get_dict()
        rows = [asdict(known) for known in [*self._free, *(known for known, _ in self._here)]]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_suffix(".new")
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(rows, file)
        aside.replace(self._path)


def _read(path: Path) -> list[Known]:
    try:
        return [Known(**row) for row in json.loads(path.read_text("utf-8"))]
    except (OSError, ValueError, TypeError):
        return []  # they are only worth the time that making others takes
