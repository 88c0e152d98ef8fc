"""Servers and gateways whose clock is wrong: Debian's libfaketime between a process and the time of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest import mock

from config.embedded import child
from tests.support.programs import lacks

_LIBRARY: Final = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


def _preload() -> dict[str, str]:
    if _LIBRARY is None:
        lacks("libfaketime is not installed")
    return {"LD_PRELOAD": str(_LIBRARY), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DISABLE_SHM": "1"}


def wrong_by(seconds: int) -> dict[str, str]:
    """The environment of a process whose time of day is wrong; its monotonic clock stays right."""
    return {**_preload(), "FAKETIME": f"{seconds:+d}"}


class WrongClock:
    """The time of day of stores, to be moved while they run."""

    def __init__(self, file: Path, seconds: int = 0) -> None:
        self._file = file
        self.move(seconds)

    def move(self, seconds: int) -> None:
        """From now on the clock is wrong by this much."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.chmod(0o644)
        new.replace(self._file)

    @contextmanager
    def of_stores(self) -> Iterator[None]:
        """Stores that are started meanwhile have this clock."""
        by_file = {"FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1"}
        with mock.patch.dict(child.CLEAN, _preload() | by_file):
            yield
